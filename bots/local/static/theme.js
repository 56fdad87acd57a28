/* The colours before the first paint. Knows: the person's choice. Must not know: anything else. */
(function () {
  "use strict";
  let choice = "";
  try {
    choice = localStorage.getItem("rejoinder.theme") || "";
  } catch {
    // Storage is off: the system's colours it is.
  }
  if (choice === "dark" || choice === "light") document.documentElement.dataset.theme = choice;
})();
