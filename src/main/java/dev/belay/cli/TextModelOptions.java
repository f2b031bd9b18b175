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
            description =
                    "what encloses the thinking, with \\\\n for line feeds, or none (default: what the model's template says)")
    private ThinkingMarkers markers;

    @Option(
            names = "--parse-special",
            description =
                    "take the names of special tokens in prompts and thinking as those tokens, not as ordinary text")
    private boolean parseSpecial;

    /** The same options for another model. */
    TextModelOptions of(Path other) {
        TextModelOptions options = new TextModelOptions();
        options.folder = other;
        options.on = on;
        options.batchTokens = batchTokens;
        options.markers = markers;
        options.parseSpecial = parseSpecial;
        return options;
    }

    @Override
    ThinkingMarkers markers() {
        return markers;
    }

    @Override
    boolean parseSpecial() {
        return parseSpecial;
    }
}
