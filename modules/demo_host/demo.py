PARTS = ("main", "jacmel")


def is_empty(db):
    return db(db.org_organisation).isempty()


def load(db, part, folder):
    pass
