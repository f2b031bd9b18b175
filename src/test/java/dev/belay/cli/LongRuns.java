package dev.belay.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What long commands need, on tiny-cliff: a probe, a ranking, a guard and data; their command lines name these by words. */
record LongRuns(Map<String, Path> files) {
    /** Trains a probe. */
    static Path probe(Path folder) {
        Path probe = folder.resolve("p.safetensors");
        Cli.run(
                        "probe train ? --refused ? --complied ? -o ?",
                        Cli.TINY,
                        Cli.data("refused.jsonl"),
                        Cli.data("complied.jsonl"),
                        probe)
                .ok();
        return probe;
    }

    /** Makes the files. */
    static LongRuns prepare(Path folder) {
        Map<String, Path> files = new HashMap<>();
        Path probe = probe(folder);
        Path attacks = Cli.few(folder, "attacks.jsonl", 8);
        Path heads = folder.resolve("h.json");
        Cli.run("heads ? --probe ? --data ? --method direct -o ?", Cli.TINY, probe, attacks, heads)
                .ok();
        Path guard = guard(folder);
        StringBuilder responses = new StringBuilder();
        StringBuilder questions = new StringBuilder();
        for (int i = 0; i < 12; i++) {
            responses.append("{\"id\": \"r%d\", \"prompt\": \"do it\", \"response\": \"%s %d\"}\n"
                    .formatted(i, i % 3 == 0 ? "yes" : "no", i));
            questions.append(
                    "{\"question\": \"what is %d + 1?\", \"choices\": [\"%d\", \"many\", \"none\"], \"answer\": 0}\n"
                            .formatted(i, i + 1));
        }
        files.put("MODEL", Cli.TINY);
        files.put("PROBE", probe);
        files.put("ATTACKS", attacks);
        files.put("BENIGN", Cli.few(folder, "benign.jsonl", 4));
        files.put("HEADS", heads);
        files.put("GUARD", guard);
        files.put("RESPONSES", Cli.write(folder.resolve("r.jsonl"), responses.toString()));
        files.put("QUESTIONS", Cli.write(folder.resolve("q.jsonl"), questions.toString()));
        return new LongRuns(files);
    }

    private static Path guard(Path folder) {
        try {
            return GuardModel.write(Files.createDirectory(folder.resolve("guard")), GuardModel.TEMPLATE);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The arguments of a command line; MODEL, PROBE, ATTACKS, BENIGN, HEADS, GUARD, RESPONSES and QUESTIONS are files. */
    List<String> args(String line) {
        return Arrays.stream(line.split(" "))
                .map(word -> files.containsKey(word) ? files.get(word).toString() : word)
                .toList();
    }
}
