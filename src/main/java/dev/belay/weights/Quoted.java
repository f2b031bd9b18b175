package dev.belay.weights;

/** Names from files, quoted so that an error message stays one line whatever the file says. */
final class Quoted {
    private static final int LONGEST = 200;

    private Quoted() {}

    /** {@code name} in quotes, cut to 200 characters, control characters written as ?. */
    static String of(String name) {
        return '"' + line(name) + '"';
    }

    /** {@code text} as one line of at most 200 characters. */
    static String line(String text) {
        String cut = text.length() <= LONGEST ? text : text.substring(0, LONGEST) + "...";
        return cut.replaceAll("\\p{Cntrl}", "?");
    }
}
