// Keeps a page as the study is: hears that something has changed, fetches the page again, and puts the
// parts that differ in the place of the old. Without it every page works, and is as old as its loading.
"use strict";

(() => {
    const status = document.getElementById("liveness");
    const parts = () => document.querySelectorAll("[data-live]");
    // What the server sent last, part by part: what a person has ticked or opened is not in it.
    const sent = new Map();
    for (const part of parts()) sent.set(part.id, part.innerHTML);

    const say = (text, kind) => {
        if (!status || status.textContent === text) return;
        status.textContent = text;
        status.className = kind;
    };

    // Where the keyboard is, in words that also find it among new elements.
    const nameOf = (element) => {
        if (!element || element === document.body) return null;
        if (element.id) return "#" + CSS.escape(element.id);
        const kind = element.tagName.toLowerCase();
        for (const name of ["href", "value", "name"]) {
            const value = element.getAttribute(name);
            if (value) return `${kind}[${name}="${CSS.escape(value)}"]`;
        }
        return null;
    };

    const isWriting = (part) => {
        const at = document.activeElement;
        const writes = at && part.contains(at) && /^(INPUT|SELECT|TEXTAREA)$/.test(at.tagName) && at.type !== "checkbox";
        const chosen = document.getSelection();
        return writes || (chosen && !chosen.isCollapsed && part.contains(chosen.anchorNode));
    };

    const replace = (part, fresh) => {
        const ticked = [...part.querySelectorAll("input:checked")].map((box) => box.value);
        const open = [...part.querySelectorAll("details[open]")].map((one) => one.id);
        const scrolled = [...part.querySelectorAll(".scroll")].map((box) => [box.id, box.scrollLeft, box.scrollTop]);
        const focused = part.contains(document.activeElement) ? nameOf(document.activeElement) : null;
        part.replaceChildren(...document.importNode(fresh, true).childNodes);
        for (const box of part.querySelectorAll("input[type=checkbox]")) box.checked = ticked.includes(box.value);
        for (const id of open) document.getElementById(id)?.setAttribute("open", "");
        for (const [id, left, top] of scrolled) {
            const box = document.getElementById(id);
            // A log that was looked at to its end follows it.
            if (box) box.scrollTo(left, id === "log-text" && top + 440 > box.scrollHeight ? box.scrollHeight : top);
        }
        if (focused) part.querySelector(focused)?.focus({ preventScroll: true });
    };

    let fetching = false;
    let stale = false;
    const refresh = async () => {
        if (fetching || document.hidden) {
            stale = true;
            return;
        }
        fetching = true;
        stale = false;
        try {
            const answer = await fetch(location.href, { credentials: "same-origin", redirect: "error" });
            const page = new DOMParser().parseFromString(await answer.text(), "text/html");
            for (const part of parts()) {
                const fresh = page.getElementById(part.id);
                if (!fresh || fresh.innerHTML === sent.get(part.id)) continue;
                if (isWriting(part)) {
                    stale = true;
                    continue;
                }
                sent.set(part.id, fresh.innerHTML);
                replace(part, fresh);
            }
            say("live", "on");
        } catch {
            say("not reached", "off");
        } finally {
            fetching = false;
        }
    };

    const follow = () => {
        if (!parts().length) return;
        const events = new EventSource("/events");
        let lost = false;
        events.addEventListener("open", () => {
            say("live", "on");
            if (lost) refresh();
            lost = false;
        });
        events.addEventListener("change", refresh);
        events.addEventListener("error", () => {
            lost = true;
            say("not reached", "off");
            // The browser tries again by itself, unless the server said no.
            if (events.readyState === EventSource.CLOSED) setTimeout(follow, 30000);
        });
        addEventListener("pagehide", () => events.close(), { once: true });
    };
    const catchUp = () => { if (stale) refresh(); };
    document.addEventListener("visibilitychange", catchUp);
    setInterval(catchUp, 2000);
    follow();
    addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

    // By keyboard: / to the first field for a question, j and k through the rows of a table.
    document.addEventListener("keydown", (event) => {
        if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
        if (event.key === "/") {
            event.preventDefault();
            (document.getElementById("where-new") ?? document.getElementById("find"))?.focus();
        } else if (event.key === "j" || event.key === "k") {
            const links = [...document.querySelectorAll("tbody th a, tbody td:first-child a")];
            if (!links.length) return;
            const at = links.indexOf(document.activeElement);
            const next = at < 0 ? 0 : at + (event.key === "j" ? 1 : -1);
            links[Math.min(Math.max(next, 0), links.length - 1)].focus();
        }
    });
})();
