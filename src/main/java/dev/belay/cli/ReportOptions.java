package dev.belay.cli;

import dev.belay.BelayException;
import dev.belay.device.Device;
import dev.belay.io.Messages;
import dev.belay.io.OutputFile;
import dev.belay.report.HtmlReport;
import dev.belay.report.RunManifest;
import dev.belay.report.RunReport;
import dev.belay.run.Shard;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** The page of a run: what was asked, what came out, and all that is needed to repeat it. Without {@code --report} nothing is done. */
final class ReportOptions {
    @Spec(Spec.Target.MIXEE)
    private CommandSpec spec;

    @Option(
            names = "--report",
            paramLabel = "R.html",
            description = "also write a page: plots, table, how to repeat it")
    private Path file;

    private RunManifest manifest;

    /** Checks the place, records the files that the options name, and starts the clock. */
    void begin() {
        if (file == null) {
            return;
        }
        OptionSpec shard = spec.findOption("--shard");
        if (shard != null && !Shard.WHOLE.equals(shard.getValue())) {
            Messages.current().notice("a part of a run has no page: belay merge writes that of the whole, " + file);
            return;
        }
        OutputFile.check(file);
        manifest = CommandManifest.of(spec);
        manifest.timings().next("load");
    }

    /** Whether a page is to be filled. */
    boolean wanted() {
        return manifest != null;
    }

    /** Records a file that the run reads and no option names as such. */
    void input(Path read) {
        if (wanted()) {
            manifest.input(read);
        }
    }

    /** Ends the clock of what was done until now and starts that of something else, in a word. */
    void phase(String name) {
        if (wanted()) {
            manifest.timings().next(name);
        }
    }

    /** Records the device and the batches of a session, which may end before the page is written. */
    void ranOn(Session session) {
        if (wanted()) {
            ranOn(session.device());
            if (spec.findOption("--batch-tokens").getValue() == null) {
                manifest.chosen("--batch-tokens", session.batchTokens());
            }
        }
    }

    /** Records the device. */
    void ranOn(Device device) {
        if (wanted()) {
            manifest.device(device.description());
        }
    }

    /** Records an output of times, which no run gives again. */
    void measured(Path output) {
        if (wanted()) {
            manifest.measured(output);
        }
    }

    /**
     * Fills and writes the page, if there is to be one, when the output is there.
     *
     * @param session null without a model
     * @param output a file, or a folder of files; null if there is none
     */
    void write(String title, Session session, Path output, Consumer<RunReport.Builder> content) {
        if (wanted()) {
            String model = session == null ? "" : session.folder().getFileName().toString();
            write(title, model, session, output, content);
        }
    }

    /** The same with a name for the models. */
    void write(String title, String model, Session session, Path output, Consumer<RunReport.Builder> content) {
        if (!wanted()) {
            return;
        }
        manifest.timings().end();
        if (session != null) {
            ranOn(session);
        }
        artifacts(output);
        RunReport.Builder page = RunReport.builder(title, model);
        content.accept(page);
        OutputFile.writeText(
                file, HtmlReport.render(page.manifest(manifest.finish()).build()));
    }

    private void artifacts(Path output) {
        if (output == null) {
            return;
        }
        if (Files.isRegularFile(output)) {
            manifest.artifact(output);
        } else if (Files.isDirectory(output)) {
            try (Stream<Path> files = Files.list(output)) {
                files.filter(Files::isRegularFile).sorted().forEach(manifest::artifact);
            } catch (IOException e) {
                throw new BelayException("cannot read " + output + ": " + OutputFile.reason(e), e);
            }
        }
    }

    /** Says what was written: the output, unless it is null, and the page, if there is one. */
    void tell(Output out, Path output) {
        String written = Stream.of(output, file)
                .filter(Objects::nonNull)
                .map(Path::toString)
                .collect(Collectors.joining(" and "));
        if (!written.isEmpty()) {
            out.say("written to %s", written);
        }
    }
}
