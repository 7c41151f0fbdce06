/* The progress page: asks how far the job is every 2 s, later every 10 s, not while the tab is hidden; goes on when it has
   ended. Without it the page works by its link "Update". */
(function () {
  "use strict";
  var box = document.querySelector(".ps-progress");
  if (!box) return;
  var bar = box.querySelector("progress"), text = box.querySelector(".ps-now"), left = box.querySelector(".ps-left");
  var said = box.querySelector("[role=status]"), update = box.querySelector(".ps-update");
  var wait = 2000, timer = 0, tenth = -1, asking = false;

  function later() {
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(ask, wait);
    wait = Math.min(wait * 1.15, 10000);
  }

  function show(now) {
    if (now.next) {
      location.replace(now.next);
      return;
    }
    bar.value = now.permille;
    text.textContent = now.text;
    left.textContent = now.left;
    if (Math.floor(now.permille / 100) !== tenth) { // spoken: once for each tenth of the whole
      tenth = Math.floor(now.permille / 100);
      if (tenth) said.textContent = tenth * 10 + " %";
    }
    later();
  }

  function ask() {
    if (asking) return;
    asking = true;
    fetch(box.dataset.status, { credentials: "same-origin", cache: "no-store" }).then(function (answer) {
      if (answer.redirected || answer.status === 403 || answer.status === 404) location.reload();
      return answer.json();
    }).then(show, function () {
      left.textContent = box.dataset.silent;
      later();
    }).then(function () { asking = false; });
  }

  document.addEventListener("visibilitychange", function () {
    if (document.hidden) clearTimeout(timer);
    else { wait = 2000; ask(); }
  });
  if (update) update.hidden = true;
  later();
})();
