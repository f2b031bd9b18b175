package dev.belay.cli;

import dev.belay.cliff.HeadRanking;
import dev.belay.cliff.TopCount;
import dev.belay.hooks.HeadMask;
import dev.belay.hooks.PositionScope;
import dev.belay.model.ModelConfig;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import picocli.CommandLine.Option;

/** Which heads are ablated, where and how. */
final class HeadOptions {
    @Option(names = "--heads", paramLabel = "H.json", description = "ranking of heads (belay heads)")
    Path file;

    @Option(
            names = "--top",
            paramLabel = "N|P%",
            defaultValue = "3%",
            converter = Converters.Top.class,
            description = "how many of them: a number, or a percentage of all heads rounded up (default 3%%)")
    TopCount top;

    @Option(
            names = "--positions",
            paramLabel = "SCOPE",
            defaultValue = "all",
            converter = Converters.Scope.class,
            description = "where they are ablated: all (default), closing, generated or last:k (of the prompt)")
    PositionScope positions;

    @Option(
            names = "--gamma",
            paramLabel = "G",
            defaultValue = "0",
            description = "factor on their outputs (default 0)")
    float gamma;

    @Option(names = "--renormalize", description = "keep the norm of the concatenated head outputs of each token")
    boolean renormalize;

    /** A head. */
    record Head(int layer, int head) {}

    /** The chosen heads, strongest first. */
    List<Head> chosen(ModelConfig config) {
        HeadRanking ranking = HeadRanking.read(file);
        int count = top.of(config.layers() * config.heads());
        return ranking.top(count).stream()
                .map(e -> new Head(e.layer(), e.head()))
                .toList();
    }

    /** The mask that scales the given heads. */
    HeadMask mask(ModelConfig config, List<Head> heads) {
        HeadMask mask = new HeadMask(config.layers(), config.heads(), positions, renormalize);
        heads.forEach(h -> mask.scale(h.layer(), h.head(), gamma));
        return mask;
    }

    /** As many random heads, none of them chosen. */
    static List<Head> random(ModelConfig config, List<Head> chosen, long seed) {
        List<Head> others = new ArrayList<>();
        for (int l = 0; l < config.layers(); l++) {
            for (int h = 0; h < config.heads(); h++) {
                Head head = new Head(l, h);
                if (!chosen.contains(head)) {
                    others.add(head);
                }
            }
        }
        if (others.size() < chosen.size()) {
            throw new UsageException("a random control of " + chosen.size()
                    + " heads needs as many that are not chosen; only " + others.size() + " are left");
        }
        Collections.shuffle(others, new Random(seed));
        return List.copyOf(others.subList(0, chosen.size()));
    }
}
