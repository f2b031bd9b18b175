package dev.belay.cli;

import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import dev.belay.report.RunManifest;
import dev.belay.weights.ModelFingerprint;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/** Starts the manifest of a command: its command line, its options, and the models and files that these name. */
final class CommandManifest {
    /** Options that name what a command writes. */
    static final Set<String> OUTPUTS = Set.of("-o", "--report", "--profile", "--out");

    /** Options that change neither results nor the page. */
    private static final Set<String> SILENT = Set.of(
            "--help",
            "--version",
            "--quiet",
            "--log-format",
            "--json",
            "--resume",
            "--keep-progress",
            "--assemble",
            "--shard");

    private CommandManifest() {}

    /** The manifest of a command whose command line has been read. */
    static RunManifest of(CommandSpec spec) {
        CommandLine root = spec.commandLine();
        while (root.getParent() != null) {
            root = root.getParent();
        }
        RunManifest manifest = RunManifest.start(name(spec))
                .arguments(root.getParseResult().expandedArgs(), Path.of("").toAbsolutePath());
        for (ArgSpec arg : spec.args()) {
            String name = arg instanceof OptionSpec option ? option.longestName() : arg.paramLabel();
            Object value = arg.getValue();
            if (value == null || value.equals(false) || SILENT.contains(name)) {
                continue;
            }
            manifest.option(
                    name,
                    arg.originalStringValues().isEmpty()
                            ? value.toString()
                            : String.join(", ", arg.originalStringValues()));
            if (!OUTPUTS.contains(name)) {
                files(manifest, value);
            }
        }
        return manifest;
    }

    /** The name of a command without {@code belay}, such as probe train. */
    static String name(CommandSpec spec) {
        return spec.qualifiedName().substring(spec.qualifiedName().indexOf(' ') + 1);
    }

    private static void files(RunManifest manifest, Object value) {
        switch (value) {
            case List<?> several -> several.forEach(one -> files(manifest, one));
            case NamedProbe probe -> files(manifest, probe.file());
            case Path file when Files.isRegularFile(file) -> manifest.input(file);
            case Path folder when Files.isRegularFile(folder.resolve("config.json")) -> model(manifest, folder);
            default -> {}
        }
    }

    /** Records a model: its fingerprint, which is of weights and configuration, and the files that say how its text is read. */
    static void model(RunManifest manifest, Path folder) {
        manifest.model(folder, ModelFingerprint.of(folder));
        try (Stream<Path> files = Files.list(folder)) {
            files.filter(CommandManifest::isText).sorted().forEach(manifest::input);
        } catch (IOException e) {
            throw new BelayException("cannot read " + folder + ": " + OutputFile.reason(e), e);
        }
    }

    private static boolean isText(Path file) {
        String name = file.getFileName().toString();
        return Files.isRegularFile(file)
                && (name.startsWith("tokenizer")
                        || name.equals("tekken.json")
                        || name.startsWith("chat_template")
                        || name.startsWith("generation_config"));
    }
}
