"""Setting up an instance's folder."""

import json
import stat

import pytest

from demo_host import appadmin, instance
from demo_host.instance import Instance


@pytest.fixture
def made(tmp_path, monkeypatch) -> Instance:
    monkeypatch.setenv("SYNC_INSTANCES", str(tmp_path))
    monkeypatch.setenv("INSTANCE", "north")
    for name in ("DEMO", "DATABASE_URI"):
        monkeypatch.delenv(name, raising=False)
    chosen = instance.chosen()
    instance.set_up(chosen)
    return chosen


def test_code_is_shared_and_data_is_not(made):
    for name in instance.SHARED:
        assert (made.app / name).resolve() == instance.CHECKOUT / name
    for name in instance.OWN:
        assert (made.app / name).is_dir()
        assert not (made.app / name).is_symlink()


def test_links_are_relative(made):
    assert not (made.app / "models").readlink().is_absolute()


def test_each_controller_is_linked_and_appadmin_put_there(made):
    wanted = {path.name for path in (instance.CHECKOUT / "controllers").glob("*.py")} | {appadmin.NAME}
    assert {path.name for path in (made.app / "controllers").iterdir()} == wanted
    assert not (made.app / "controllers" / appadmin.NAME).is_symlink()


def test_later_starts_follow_the_controllers(made, monkeypatch, tmp_path):
    checkout = tmp_path / "checkout"
    (checkout / "controllers").mkdir(parents=True)
    (checkout / "controllers" / "new.py").touch()
    monkeypatch.setattr(instance, "CHECKOUT", checkout)
    instance.link_controllers(made.app / "controllers")
    assert {path.name for path in (made.app / "controllers").iterdir()} == {"new.py", appadmin.NAME}


def test_a_second_set_up_changes_nothing(made):
    before = {path: path.lstat().st_mtime_ns for path in made.app.rglob("*") if path.is_file()}
    instance.set_up(made)
    assert {path: path.lstat().st_mtime_ns for path in made.app.rglob("*") if path.is_file()} == before


def test_settings_are_kept_and_private(made, monkeypatch):
    path = made.private / "settings.json"
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "database_uri": "sqlite://storage.sqlite",
        "demo": "none",
        "name": "Office north",
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    monkeypatch.setenv("DATABASE_URI", "postgres://elsewhere/db")
    instance.set_up(made)
    assert "elsewhere" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["../up", "a/b", "a b", "."])
def test_a_name_that_is_no_folder_name_is_refused(monkeypatch, name):
    monkeypatch.setenv("INSTANCE", name)
    with pytest.raises(SystemExit, match="INSTANCE"):
        instance.chosen()


def test_unknown_demonstration_data_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("DEMO", "everything")
    with pytest.raises(SystemExit, match="main, jacmel, none"):
        instance.set_up(Instance(tmp_path / "x"))


def test_the_database_of_a_new_instance_is_chosen_by_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_URI", "postgres://here/db")
    instance.set_up(Instance(tmp_path / "y"))
    settings = json.loads((tmp_path / "y" / "applications/sync/private/settings.json").read_text(encoding="utf-8"))
    assert settings["database_uri"] == "postgres://here/db"
