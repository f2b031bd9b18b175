package dev.belay.cli;

import dev.belay.text.ThinkingMarkers;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** Which model, on which device, how; and how its texts are read. */
final class TextModelOptions extends ModelOptions {
    @Option(
            names = "--thinking-markers",
            paramLabel = "OPEN,CLOSE",
            converter = Converters.Markers.class,
            description = "tags of thinking, or none; \\n = line feed (default: the template's)")
    private ThinkingMarkers markers;

    @Option(names = "--parse-special", description = "names of special tokens in prompts and thinking are those tokens")
    private boolean parseSpecial;

    @Option(names = "--system", paramLabel = "TEXT", description = "system prompt of texts that have none of their own")
    private String system;

    /** The same options for another model. */
    TextModelOptions of(Path other) {
        TextModelOptions options = new TextModelOptions();
        options.folder = other;
        options.on = on;
        options.batchTokens = batchTokens;
        options.use = use;
        options.markers = markers;
        options.parseSpecial = parseSpecial;
        options.system = system;
        return options;
    }

    @Override
    ThinkingMarkers markers() {
        return markers;
    }

    @Override
    String system() {
        return system;
    }

    @Override
    boolean parseSpecial() {
        return parseSpecial;
    }
}
