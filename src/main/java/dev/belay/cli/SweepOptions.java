package dev.belay.cli;

import dev.belay.BelayException;
import dev.belay.cliff.TopCount;
import dev.belay.hooks.PositionScope;
import dev.belay.model.ModelConfig;
import dev.belay.text.ThinkingMarkers;
import java.nio.file.Path;
import java.util.List;
import picocli.CommandLine.Option;

/** How heads are swept. */
final class SweepOptions {
    @Option(
            names = "--positions",
            paramLabel = "SCOPE",
            defaultValue = "all",
            converter = Converters.Scope.class,
            completionCandidates = Choices.SweptScopes.class,
            description = "where heads are ablated: all (default), closing or last:k")
    PositionScope positions;

    @Option(names = "--renormalize", description = "keep the norm of the concatenated head outputs of each token")
    boolean renormalize;

    @Option(
            names = "--limit",
            paramLabel = "N",
            converter = Converters.Positive.class,
            description = "use the first N transcripts only")
    Integer limit;

    @Option(
            names = "--steps",
            paramLabel = "N",
            converter = Converters.Positive.class,
            description = "greedy: number of heads to choose (default 3%% of all, rounded up)")
    Integer steps;

    /**
     * Checks that the positions are some that the texts have.
     *
     * @param bare whether the texts are token ids only
     * @param markers the thinking markers that were given, or null
     */
    void check(boolean bare, ThinkingMarkers markers) {
        if (positions.kind() == PositionScope.Kind.GENERATED) {
            throw new UsageException("--positions generated: a sweep generates nothing; use all, closing or last:k");
        }
        if (positions.equals(PositionScope.CLOSING) && (bare || ThinkingMarkers.NONE.equals(markers))) {
            throw new UsageException((bare ? "bare token ids have" : "with --thinking-markers none there are")
                    + " no closing positions: use --positions all or last:k");
        }
    }

    /**
     * Checks that there are heads enough.
     *
     * @param available number of heads below the probe's layer
     */
    void check(int available, Path probe) {
        if (available == 0) {
            throw new BelayException(probe + " reads H[0], the embeddings: no head comes before it");
        }
        if (steps != null && steps > available) {
            throw new UsageException(
                    "--steps " + steps + " is more than the " + available + " heads below the probe's layer");
        }
    }

    /** The first {@code --limit} of the texts. */
    <T> List<T> limited(List<T> texts) {
        return limit == null || limit >= texts.size() ? texts : texts.subList(0, limit);
    }

    /** Number of heads that a greedy selection chooses among those below the probe's layer. */
    int count(ModelConfig config, int layer) {
        int three = TopCount.parse("3%").of(config.layers() * config.heads());
        return steps == null ? Math.min(three, layer * config.heads()) : steps;
    }
}
