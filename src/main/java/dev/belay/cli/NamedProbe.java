package dev.belay.cli;

import dev.belay.model.ModelConfig;
import dev.belay.probe.LinearProbe;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A probe's file and the name of its scores. */
record NamedProbe(String name, Path file) {
    private static final Pattern NAMED = Pattern.compile("([^=/]+)=(.+)");

    /** Reads FILE, whose name without its suffix is the probe's name, or NAME=FILE. */
    static NamedProbe parse(String text) {
        Matcher named = NAMED.matcher(text);
        if (named.matches() && !Files.exists(Path.of(text))) {
            return new NamedProbe(named.group(1), Path.of(named.group(2)));
        }
        Path file = Path.of(text);
        Path last = file.getFileName();
        return new NamedProbe(last == null ? text : last.toString().replaceFirst("(?<=.)\\.[^.]*$", ""), file);
    }

    /** Reads the probe and checks that it fits, before anything slow is done. */
    LinearProbe load(ModelConfig config) {
        return ProbeOption.load(file, config);
    }
}
