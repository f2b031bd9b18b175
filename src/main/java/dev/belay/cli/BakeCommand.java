package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.bake.HeadBake;
import dev.belay.hooks.PositionScope;
import dev.belay.io.Messages;
import dev.belay.io.OutputFolder;
import dev.belay.model.ModelConfig;
import dev.belay.report.DataTable;
import dev.belay.report.HeadMap;
import dev.belay.report.RunReport;
import dev.belay.weights.ModelFingerprint;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code belay bake}: a model that is repaired for good. */
@Command(
        name = "bake",
        mixinStandardHelpOptions = true,
        description = {
            "Writes a copy of a model with heads ablated at every position, for any engine.",
            "Only their columns of the output projections differ; or the same change is written as a LoRA adapter."
        },
        footer = {"", "Example: belay bake models/tiny-cliff --heads heads.json --top 3 -o repaired"})
final class BakeCommand implements Callable<Integer> {
    /** What to write. */
    enum Form {
        model,
        lora
    }

    @Parameters(
            index = "0",
            paramLabel = "MODEL",
            converter = Converters.ModelFolder.class,
            description = "model folder: config.json, safetensors, tokenizer.json")
    private Path model;

    @Mixin
    private HeadOptions heads;

    @Option(names = "-o", paramLabel = "DIR", required = true, description = "the folder, new or empty")
    private Path folder;

    @Option(
            names = "--as",
            paramLabel = "KIND",
            defaultValue = "model",
            description = "model (default), or lora: a PEFT adapter on o_proj")
    private Form form;

    @Mixin
    private ReportOptions reports;

    @Mixin
    private Output out;

    @Override
    public Integer call() {
        heads.settleForWeights();
        ModelConfig config = ModelConfig.read(model);
        List<HeadOptions.Head> chosen = heads.chosen(config);
        SortedMap<Integer, List<Integer>> ofLayer = chosen.stream()
                .sorted(Comparator.comparingInt(HeadOptions.Head::head))
                .collect(Collectors.groupingBy(
                        HeadOptions.Head::layer,
                        TreeMap::new,
                        Collectors.mapping(HeadOptions.Head::head, Collectors.toList())));
        OutputFolder.checkFree(folder);
        reports.begin();
        reports.phase("bake");
        HeadBake bake = new HeadBake(model, config, ofLayer, heads.gamma);
        if (form == Form.lora) {
            bake.adapter(folder);
        } else {
            bake.copy(folder);
        }
        String name = model.getFileName().toString();
        reports.write("Baked heads", name, null, folder, page -> fill(page, config, chosen));
        report(chosen);
        return 0;
    }

    private void fill(RunReport.Builder page, ModelConfig config, List<HeadOptions.Head> chosen) {
        boolean adapter = form == Form.lora;
        HeadMap map = heads.map(config, chosen.size());
        page.subtitle((adapter ? "An adapter" : "A copy of the model") + " in which " + chosen.size() + " of "
                        + config.layers() * config.heads() + " heads are ablated for good")
                .story(String.format(
                        Locale.ROOT,
                        "In %s the output of %s is multiplied by %s at every position; all else is as it was.",
                        folder.getFileName(),
                        chosen.size() == 1 ? "1 head" : "each of " + chosen.size() + " heads",
                        heads.gamma))
                .map(map);
        if (!adapter) {
            page.fact("fingerprint of " + folder.getFileName(), ModelFingerprint.of(folder));
        }
        DataTable table = new DataTable(
                        "Baked heads",
                        "Of each the columns of its layer's output projection, counted from 0, that differ.")
                .number("rank", 0)
                .number("layer", 0)
                .number("head", 0)
                .number("score", 4)
                .number("factor", 4)
                .number("first column", 0)
                .number("last column", 0);
        int rank = 1;
        for (HeadMap.HeadRef head : map.top()) {
            int from = head.head() * config.headSize();
            int to = from + config.headSize() - 1;
            table.row(rank++, head.layer(), head.head(), head.score(), heads.gamma, from, to);
        }
        page.table(table);
    }

    private void report(List<HeadOptions.Head> chosen) {
        if (heads.positions.kind() != PositionScope.Kind.ALL) {
            Messages.current()
                    .warning("the ranking ablated heads at positions " + heads.positions
                            + " only; in weights they are ablated at all: compare with belay ablate --positions all");
        }
        String names = chosen.stream().map(h -> h.layer() + "." + h.head()).collect(Collectors.joining(", "));
        String what = chosen.size() == 1 ? "head" : "heads";
        out.say("%d %s (layer.head) times %s: %s", chosen.size(), what, heads.gamma, names);
        reports.tell(out, folder);
        ObjectNode json = Output.object();
        json.put("form", form.toString()).put("gamma", heads.gamma).put("output", folder.toString());
        var list = json.putArray("heads");
        chosen.forEach(h -> list.addObject().put("layer", h.layer()).put("head", h.head()));
        out.result(json);
    }
}
