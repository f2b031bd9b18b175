package dev.belay.text.jinja;

/** What a template can call: a function, a macro or a method of a value. */
interface Callable {
    Object call(Arguments arguments);
}
