package dev.belay.cli;

import dev.belay.BelayException;
import dev.belay.cliff.HeadRanking;
import dev.belay.cliff.TopCount;
import dev.belay.hooks.HeadMask;
import dev.belay.hooks.PositionScope;
import dev.belay.model.ModelConfig;
import dev.belay.report.HeadMap;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import picocli.CommandLine.Option;

/** Which heads are ablated, where and how. */
final class HeadOptions {
    @Option(names = "--heads", paramLabel = "H.json", description = "ranking of heads (belay heads)")
    Path file;

    @Option(
            names = "--top",
            paramLabel = "N|P%",
            converter = Converters.Top.class,
            description = "how many: a number, or a share of all heads rounded up (default 3%%)")
    TopCount top;

    @Option(
            names = "--positions",
            paramLabel = "SCOPE",
            converter = Converters.Scope.class,
            completionCandidates = Choices.Scopes.class,
            description = "all, closing, generated or last:k (default: the ranking's, else all)")
    PositionScope positions;

    @Option(
            names = "--gamma",
            paramLabel = "G",
            converter = Converters.Finite.class,
            description = "factor on their outputs (default 0)")
    Float gamma;

    @Option(names = "--renormalize", description = "keep the norm of the concatenated head outputs of each token")
    boolean renormalize;

    private HeadRanking ranking;

    /** A head. */
    record Head(int layer, int head) {}

    /**
     * Reads the ranking and settles what the command line leaves open.
     *
     * @throws UsageException if there are other head options but no ranking
     */
    void settle() {
        if (file == null && (top != null || positions != null || gamma != null || renormalize)) {
            throw new UsageException(
                    "--heads H.json is missing: --top, --positions, --gamma and --renormalize say how its"
                            + " heads are ablated");
        }
        ranking = file == null ? null : HeadRanking.read(file);
        top = top == null ? TopCount.parse("3%") : top;
        gamma = gamma == null ? 0f : gamma;
        if (positions == null) {
            boolean ablated = ranking != null && !ranking.method().equals("direct");
            positions = ablated ? scope(ranking.positions()) : PositionScope.ALL;
        }
    }

    /**
     * Reads the ranking of heads that weights are to ablate, which they do at every position.
     *
     * @throws UsageException if there is none, or an option that weights cannot follow
     */
    void settleForWeights() {
        if (file == null) {
            throw new UsageException("--heads H.json is missing: it says which heads to ablate");
        }
        if (renormalize) {
            throw new UsageException("--renormalize depends on the text: it cannot be written into weights");
        }
        if (positions != null && positions.kind() != PositionScope.Kind.ALL) {
            throw new UsageException("--positions " + positions + ": weights act at all positions");
        }
        settle();
    }

    private PositionScope scope(String text) {
        try {
            return PositionScope.parse(text);
        } catch (BelayException e) {
            throw new BelayException(file + ": " + e.getMessage(), e);
        }
    }

    /** The chosen heads, strongest first. */
    List<Head> chosen(ModelConfig config) {
        int count = top(config.layers() * config.heads());
        if (count > ranking.ranking().size()) {
            throw new BelayException(file + " ranks " + ranking.ranking().size() + " heads, but --top " + top + " is "
                    + count + " heads; use --top " + ranking.ranking().size());
        }
        Set<Head> chosen = new LinkedHashSet<>();
        for (HeadRanking.Entry e : ranking.top(count)) {
            if (e.layer() < 0 || e.layer() >= config.layers() || e.head() < 0 || e.head() >= config.heads()) {
                throw new BelayException(file + ": there is no head " + e.head() + " in layer " + e.layer()
                        + ": the model has layers 0 to " + (config.layers() - 1) + " with heads 0 to "
                        + (config.heads() - 1));
            }
            if (!chosen.add(new Head(e.layer(), e.head()))) {
                throw new BelayException(file + ": ranks head " + e.head() + " of layer " + e.layer() + " twice");
            }
        }
        return List.copyOf(chosen);
    }

    /** The ranking as a map on which the first heads are marked. */
    HeadMap map(ModelConfig config, int count) {
        return PageParts.map(ranking, config.layers(), config.heads(), count);
    }

    private int top(int heads) {
        try {
            return top.of(heads);
        } catch (BelayException e) {
            throw new UsageException(e.getMessage());
        }
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
