package dev.belay.text.jinja;

/**
 * What a variable or attribute that is not there has as its value: it prints as nothing and is empty and false, but has no attributes
 * and takes part in no operation.
 */
record Undefined(String reason) {
    static Undefined of(String name) {
        return new Undefined("'" + name + "' is undefined");
    }

    /** The failure of whatever needs a value. */
    TemplateFailure failure() {
        return new TemplateFailure(reason);
    }

    /** Returns a value that is defined as it is. */
    static Object check(Object value) {
        if (value instanceof Undefined undefined) {
            throw undefined.failure();
        }
        return value;
    }
}
