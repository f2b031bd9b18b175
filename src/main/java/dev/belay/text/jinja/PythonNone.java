package dev.belay.text.jinja;

import com.hubspot.jinjava.util.HasObjectTruthValue;

/** Python's {@code None}. It is a value, unlike an undefined variable, which Jinjava knows as null. */
final class PythonNone implements HasObjectTruthValue {
    static final PythonNone NONE = new PythonNone();

    private PythonNone() {}

    @Override
    public boolean getObjectTruthValue() {
        return false;
    }

    @Override
    public String toString() {
        return "None";
    }
}
