package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import dev.belay.dataset.ColumnMap;
import dev.belay.dataset.DatasetFormat;
import dev.belay.dataset.DatasetImport;
import dev.belay.io.Messages;
import dev.belay.io.OutputFile;
import dev.belay.report.DataTable;
import dev.belay.text.Transcripts;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code belay import}: published prompts as transcripts. */
@Command(
        name = "import",
        mixinStandardHelpOptions = true,
        description = {
            "Makes transcripts of a published file of prompts: CSV, TSV, JSON, JSON Lines, Parquet.",
            "Known by their columns: AdvBench, HarmBench, JailbreakBench, StrongREJECT, SORRY-Bench, XSTest, WildJailbreak, UltraChat, "
                    + "and the JSON of the refusal cliff's authors."
        },
        footer = {"", "Example: belay import harmful_behaviors.csv -o attacks.jsonl"})
final class ImportCommand implements Callable<Integer> {
    /** Which prompts to take. */
    enum Only {
        harmful,
        harmless
    }

    /** What {@code --from} names: a format, or else the file. */
    record Source(DatasetFormat format, Path file) {
        /** The format of that name, or the file, if there is one. */
        static Source parse(String value) {
            try {
                return new Source(DatasetFormat.parse(value), null);
            } catch (BelayException e) {
                if (Files.isRegularFile(Path.of(value))) {
                    return new Source(null, Path.of(value));
                }
                throw e;
            }
        }
    }

    @Parameters(index = "0", arity = "0..1", paramLabel = "FILE", description = "the published file")
    private Path file;

    @Option(names = "-o", paramLabel = "T.jsonl", required = true, description = "output file")
    private Path output;

    @ArgGroup
    private Meaning meaning = new Meaning();

    /** What the columns mean. */
    private static final class Meaning {
        @Option(
                names = "--from",
                paramLabel = "NAME",
                converter = Converters.Dataset.class,
                completionCandidates = Choices.Datasets.class,
                description =
                        "which file it is (default: found out from its columns); or the file itself instead of FILE")
        private Source source = new Source(null, null);

        @Option(
                names = "--columns",
                paramLabel = "KEY=COL,...",
                converter = Converters.Columns.class,
                description =
                        "for other files: the columns of prompt, and if there are any of id, system, thinking, response, harmful; "
                                + "a.0.b is a part of a nested one")
        private ColumnMap columns;
    }

    @Option(
            names = "--harmful",
            arity = "1",
            paramLabel = "true|false",
            description = "whether the prompts are harmful, where the file does not say")
    private Boolean harmful;

    @Option(names = "--only", paramLabel = "WHICH", description = "take only harmful or only harmless ones")
    private Only only;

    @Option(
            names = "--limit",
            paramLabel = "N",
            converter = Converters.Positive.class,
            description = "take the first N only")
    private Integer limit;

    @Option(names = "--skip-bad", description = "leave out records that cannot be used, and count them")
    private boolean skipBad;

    @Mixin
    private ReportOptions reports;

    @Mixin
    private Output out;

    @Override
    public Integer call() {
        Path input = input();
        OutputFile.check(output);
        reports.begin();
        reports.phase("import");
        Boolean wanted = only == null ? null : (Boolean) (only == Only.harmful);
        DatasetImport.Options options = new DatasetImport.Options(
                meaning.source.format(),
                meaning.columns,
                harmful,
                wanted,
                limit == null ? Long.MAX_VALUE : limit,
                skipBad);
        DatasetImport.Counts counts;
        DataTable table = new DataTable(
                        "All transcripts", "Id, whether the prompt is harmful if that is known, and its beginning.")
                .name("id")
                .text("prompt is")
                .wide("prompt");
        try (OutputFile lines = OutputFile.create(output)) {
            counts = new DatasetImport(input, options).run(t -> {
                lines.writeLine(Transcripts.toJsonLine(t));
                if (reports.wanted()) {
                    table.row(t.id(), t.harmful() == null ? "" : t.harmful() ? "harmful" : "harmless", t.prompt());
                }
            });
            lines.commit();
        }
        if (counts.unlabelled() == counts.taken()) {
            Messages.current()
                    .warning(input + " does not say whether its prompts are harmful; say so by --harmful true|false,"
                            + " or name the column by --columns prompt=COL,harmful=COL");
        }
        String left = counts.left() == 0 ? "" : ", " + counts.left() + " left out by --only";
        String bad = counts.bad() == 0 ? "" : ", " + counts.bad() + " left out because they cannot be used";
        String sentence = String.format(
                Locale.ROOT, "%,d transcripts, read as %s%s%s", counts.taken(), counts.format(), left, bad);
        reports.write(
                "Imported transcripts",
                null,
                output,
                page -> page.subtitle("Which transcripts are in " + input.getFileName() + "?")
                        .story(sentence + ".")
                        .table(table));
        out.say("%s", sentence);
        reports.tell(out, output);
        ObjectNode json = Output.object();
        json.put("transcripts", counts.taken()).put("format", counts.format());
        json.put("left_out", counts.left()).put("bad", counts.bad());
        out.result(json.put("output", output.toString()));
        return 0;
    }

    private Path input() {
        Path named = meaning.source.file();
        if (file == null && named == null) {
            throw new UsageException("Missing required parameter: 'FILE'");
        }
        if (file != null && named != null) {
            throw new UsageException("Invalid value for option '--from': '" + named
                    + "' is a file, and so is FILE; name one, or use " + DatasetFormat.labels());
        }
        return file == null ? named : file;
    }
}
