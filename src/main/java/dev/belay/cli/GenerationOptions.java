package dev.belay.cli;

import dev.belay.BelayException;
import dev.belay.device.Sampling;
import picocli.CommandLine.Option;

/** How texts are continued. */
final class GenerationOptions {
    /** What becomes of the thinking. */
    enum Thinking {
        regenerate,
        keep,
        none
    }

    private static final int MAX_NEW_TOKENS = 1024;

    @Option(
            names = "--thinking",
            paramLabel = "HOW",
            defaultValue = "regenerate",
            description = "regenerate (default); keep: only a new response; none: closed at once")
    Thinking thinking;

    @Option(
            names = "--max-new-tokens",
            paramLabel = "N",
            converter = Converters.Positive.class,
            description = "most tokens to add (default: generation_config.json, else 1024)")
    Integer maxNewTokens;

    @Option(
            names = "--temperature",
            paramLabel = "T",
            defaultValue = "0",
            converter = Converters.Finite.class,
            description = "0 = greedy (default)")
    float temperature;

    @Option(
            names = "--top-k",
            paramLabel = "K",
            defaultValue = "0",
            description = "sample from the K most likely tokens; 0 = all")
    int topK;

    @Option(
            names = "--top-p",
            paramLabel = "P",
            defaultValue = "1",
            converter = Converters.Finite.class,
            description = "sample from the most likely tokens of mass P")
    float topP;

    @Option(names = "--seed", paramLabel = "S", defaultValue = "0", description = "seed of the sampling (default 0)")
    long seed;

    @Option(names = "--ignore-eos", description = "go on to the limit even after an end token")
    boolean ignoreEnd;

    /** Greedy continuation from the prompt to the model's own limit. */
    static GenerationOptions greedy() {
        GenerationOptions options = new GenerationOptions();
        options.thinking = Thinking.regenerate;
        options.topP = 1;
        return options;
    }

    /** @throws UsageException if a value is out of range */
    Sampling sampling() {
        try {
            return new Sampling(temperature, topK, topP, seed);
        } catch (BelayException e) {
            throw new UsageException("--" + e.getMessage());
        }
    }

    int limit(Session session) {
        int configured = session.config().maxNewTokens();
        int limit = maxNewTokens != null ? maxNewTokens : configured > 0 ? configured : MAX_NEW_TOKENS;
        return Math.min(limit, session.config().positions());
    }
}
