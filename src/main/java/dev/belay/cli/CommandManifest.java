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
import picocli.CommandLine.ParameterException;

/** Starts the manifest of a command: its command line, its options, and the models and files that these name. */
final class CommandManifest {
    /** Options that name what a command writes. */
    static final List<String> OUTPUTS = List.of("--report", "--profile", "-o", "--out");

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
            String name = name(arg);
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
                paths(value).forEach(path -> file(manifest, path));
            }
        }
        return manifest;
    }

    /**
     * Checks that a command whose command line has been read replaces no file that it reads or writes as something else.
     *
     * @throws ParameterException naming both
     */
    static void checkOutputs(CommandSpec spec) {
        for (String name : OUTPUTS) {
            OptionSpec output = spec.findOption(name);
            if (output == null || !(output.getValue() instanceof Path file)) {
                continue;
            }
            for (ArgSpec other : spec.args()) {
                if (other != output && paths(other.getValue()).anyMatch(path -> same(file, path))) {
                    throw new ParameterException(
                            spec.commandLine(), name + " and " + name(other) + " name the same file: " + file);
                }
            }
        }
    }

    /** Whether two paths are one file, there or not; folders, devices and pipes are none. */
    static boolean same(Path one, Path other) {
        try {
            return Files.exists(one)
                    ? Files.isRegularFile(one) && Files.exists(other) && Files.isSameFile(one, other)
                    : one.toAbsolutePath()
                            .normalize()
                            .equals(other.toAbsolutePath().normalize());
        } catch (IOException e) {
            throw new BelayException("cannot read " + other + ": " + OutputFile.reason(e), e);
        }
    }

    private static String name(ArgSpec arg) {
        return arg instanceof OptionSpec option ? option.longestName() : arg.paramLabel();
    }

    /** The name of a command without {@code belay}, such as probe train. */
    static String name(CommandSpec spec) {
        return spec.qualifiedName().substring(spec.qualifiedName().indexOf(' ') + 1);
    }

    /** The paths in the value of an option or parameter. */
    private static Stream<Path> paths(Object value) {
        return switch (value) {
            case List<?> several -> several.stream().flatMap(CommandManifest::paths);
            case NamedProbe probe -> Stream.of(probe.file());
            case Path path -> Stream.of(path);
            case null, default -> Stream.empty();
        };
    }

    private static void file(RunManifest manifest, Path path) {
        if (Files.isRegularFile(path)) {
            manifest.input(path);
        } else if (Files.isRegularFile(path.resolve("config.json"))) {
            model(manifest, path);
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
