package dev.belay.cli;

import dev.belay.BelayException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code belay explain}: the definitions that Belay uses. */
@Command(
        name = "explain",
        mixinStandardHelpOptions = true,
        description = "Prints the definition that Belay uses of a term: belay explain cliff; or of all.",
        footer = {"", "Example: belay explain cliff"})
final class ExplainCommand implements Callable<Integer> {
    /** The rows of the table in README.md: name and definition. */
    private static final String DEFINITIONS = "definitions.md";

    @Parameters(
            index = "0",
            arity = "0..1",
            paramLabel = "TERM",
            description = "cliff, plateau, causal, ...; default: all")
    private String term;

    @Mixin
    private Output out;

    @Override
    public Integer call() {
        Map<String, String> definitions = definitions();
        if (term != null) {
            String wanted = term.strip().toLowerCase(Locale.ROOT);
            definitions.keySet().removeIf(name -> !name.toLowerCase(Locale.ROOT).contains(wanted));
            if (wanted.isEmpty() || definitions.isEmpty()) {
                throw new BelayException("'" + term + "' is not among the terms: "
                        + String.join("; ", definitions().keySet()));
            }
        }
        definitions.forEach((name, definition) -> out.say("%s: %s", name, definition));
        var json = Output.object();
        definitions.forEach(json::put);
        out.result(json);
        return 0;
    }

    private static Map<String, String> definitions() {
        Map<String, String> definitions = new LinkedHashMap<>();
        try (InputStream in = ExplainCommand.class.getResourceAsStream(DEFINITIONS)) {
            if (in == null) {
                throw new IllegalStateException(DEFINITIONS + " is missing beside " + ExplainCommand.class.getName());
            }
            new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().forEach(line -> {
                String[] cells = line.split("\\|");
                definitions.put(cells[1].strip(), cells[2].strip().replace("`", ""));
            });
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return definitions;
    }
}
