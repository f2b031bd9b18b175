package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.bake.HeadBake;
import dev.belay.hooks.PositionScope;
import dev.belay.io.Messages;
import dev.belay.io.OutputFolder;
import dev.belay.model.ModelConfig;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
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
            "Writes a copy of a model in which heads are ablated at every position, for any engine to serve.",
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
            paramLabel = "FORM",
            defaultValue = "model",
            description = "model (default), or lora: a PEFT adapter on o_proj")
    private Form form;

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
        HeadBake bake = new HeadBake(model, config, ofLayer, heads.gamma);
        if (form == Form.lora) {
            bake.adapter(folder);
        } else {
            bake.copy(folder);
        }
        report(chosen);
        return 0;
    }

    private void report(List<HeadOptions.Head> chosen) {
        if (heads.positions.kind() != PositionScope.Kind.ALL) {
            Messages.current()
                    .warning("the ranking ablated heads at positions " + heads.positions
                            + " only; in weights they are ablated at all: compare with belay ablate --positions all");
        }
        String names = chosen.stream().map(h -> h.layer() + "." + h.head()).collect(Collectors.joining(", "));
        out.say("%d heads (layer.head) times %s: %s", chosen.size(), heads.gamma, names);
        out.say("written to %s", folder);
        ObjectNode json = Output.object();
        json.put("form", form.toString()).put("gamma", heads.gamma).put("output", folder.toString());
        var list = json.putArray("heads");
        chosen.forEach(h -> list.addObject().put("layer", h.layer()).put("head", h.head()));
        out.result(json);
    }
}
