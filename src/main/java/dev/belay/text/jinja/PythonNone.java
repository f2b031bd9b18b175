package dev.belay.text.jinja;

/** Python's {@code None}. It is a value, unlike an undefined variable. */
enum PythonNone {
    NONE
}
