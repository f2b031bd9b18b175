package dev.belay.model;

import com.fasterxml.jackson.databind.JsonNode;
import dev.belay.BelayException;
import java.nio.file.Path;
import java.util.List;

/**
 * How rotary frequencies are stretched for long texts. {@code f} is a frequency in radians per position, R the rotary size, i = 0..R/2-1
 * the number of the frequency θ^(-2i/R).
 */
public sealed interface RopeScaling {
    /** The name that {@code rope_type} gives it. */
    String name();

    /**
     * The scaled frequencies, [size / 2].
     *
     * @param theta base θ
     * @param size rotary size R
     * @param length tokens of the whole text
     */
    double[] frequencies(double theta, int size, int length);

    /** Factor on cosines and sines. */
    default double magnitude() {
        return 1;
    }

    /** A number that is the same for all lengths of text that have the same frequencies; 0 for the shortest texts. */
    default int variant(int length) {
        return 0;
    }

    /** Whether {@link #variant} is not the same for all lengths. */
    default boolean dependsOnLength() {
        return false;
    }

    /** Whether a text of this length is the shortest of those that longer factors are made for. */
    default boolean switches(int length) {
        return false;
    }

    /** θ^(-2i/R). */
    private static double[] plain(double theta, int size) {
        double[] frequencies = new double[size / 2];
        for (int i = 0; i < frequencies.length; i++) {
            frequencies[i] = 1 / Math.pow(theta, 2.0 * i / size);
        }
        return frequencies;
    }

    /**
     * Longest text of a model.
     *
     * @param positions {@code max_position_embeddings}
     */
    default long longest(int positions) {
        return positions;
    }

    /** No scaling. */
    record Default() implements RopeScaling {
        @Override
        public String name() {
            return "default";
        }

        @Override
        public double[] frequencies(double theta, int size, int length) {
            return plain(theta, size);
        }
    }

    /** Every frequency is divided by {@code factor}. */
    record Linear(double factor) implements RopeScaling {
        @Override
        public String name() {
            return "linear";
        }

        @Override
        public double[] frequencies(double theta, int size, int length) {
            double[] frequencies = plain(theta, size);
            for (int i = 0; i < frequencies.length; i++) {
                frequencies[i] /= factor;
            }
            return frequencies;
        }

        /** The configuration keeps the length that the model had before it was stretched. */
        @Override
        public long longest(int positions) {
            return stretched(positions, factor);
        }
    }

    /** Texts of more than {@code positions} tokens get the base θ · (factor · length / positions − factor + 1)^(R / (R − 2)). */
    record Dynamic(double factor, int positions) implements RopeScaling {
        @Override
        public String name() {
            return "dynamic";
        }

        @Override
        public double[] frequencies(double theta, int size, int length) {
            double stretch = factor * Math.max(length, positions) / positions - (factor - 1);
            return plain(theta * Math.pow(stretch, size / (size - 2.0)), size);
        }

        /** The configuration keeps the length that the model had before it was stretched. */
        @Override
        public long longest(int positions) {
            return stretched(positions, factor);
        }

        @Override
        public int variant(int length) {
            return length <= positions ? 0 : length;
        }

        @Override
        public boolean dependsOnLength() {
            return true;
        }
    }

    /**
     * Llama 3.1: with wavelength λ = 2π/f, frequencies with λ below {@code originalPositions / highFrequency} stay, those above
     * {@code originalPositions / lowFrequency} are divided by {@code factor}, those between are blended linearly.
     */
    record Llama3(double factor, double lowFrequency, double highFrequency, int originalPositions)
            implements RopeScaling {
        @Override
        public String name() {
            return "llama3";
        }

        @Override
        public double[] frequencies(double theta, int size, int length) {
            double[] frequencies = plain(theta, size);
            for (int i = 0; i < frequencies.length; i++) {
                frequencies[i] = scale(frequencies[i]);
            }
            return frequencies;
        }

        /** The scaled form of one frequency. */
        double scale(double f) {
            double wavelength = 2 * Math.PI / f;
            if (wavelength < originalPositions / highFrequency) {
                return f;
            }
            if (wavelength > originalPositions / lowFrequency) {
                return f / factor;
            }
            double blend = (originalPositions / wavelength - lowFrequency) / (highFrequency - lowFrequency);
            return (1 - blend) * f / factor + blend * f;
        }
    }

    /**
     * YaRN: frequencies that turn more than {@code fast} times within {@code originalPositions} stay, those that turn less than
     * {@code slow} times are divided by {@code factor}, those between are blended linearly by their number.
     *
     * @param magnitude factor on cosines and sines
     * @param truncate whether the ends of the blend are whole numbers
     */
    record Yarn(double factor, double magnitude, double fast, double slow, int originalPositions, boolean truncate)
            implements RopeScaling {
        @Override
        public String name() {
            return "yarn";
        }

        @Override
        public double[] frequencies(double theta, int size, int length) {
            double low = turning(fast, theta, size);
            double high = turning(slow, theta, size);
            low = Math.max(truncate ? Math.floor(low) : low, 0);
            high = Math.min(truncate ? Math.ceil(high) : high, size - 1);
            double width = high == low ? 0.001 : high - low;
            double[] frequencies = plain(theta, size);
            for (int i = 0; i < frequencies.length; i++) {
                double stretched = Math.clamp((i - low) / width, 0.0, 1.0);
                frequencies[i] *= stretched / factor + 1 - stretched;
            }
            return frequencies;
        }

        /** The configuration may give either length, the original or the stretched one. */
        @Override
        public long longest(int positions) {
            return Math.max(positions, stretched(originalPositions, factor));
        }

        /** The number, not whole, of the frequency that turns {@code turns} times within the original positions. */
        private double turning(double turns, double theta, int size) {
            return size * Math.log(originalPositions / (turns * 2 * Math.PI)) / (2 * Math.log(theta));
        }
    }

    /**
     * LongRoPE: each frequency is divided by a factor of its own, from one list for texts of up to {@code originalPositions} tokens and
     * from another for longer ones.
     *
     * @param magnitude factor on cosines and sines, whatever the length
     */
    record LongRope(List<Double> shortFactors, List<Double> longFactors, double magnitude, int originalPositions)
            implements RopeScaling {
        @Override
        public String name() {
            return "longrope";
        }

        @Override
        public double[] frequencies(double theta, int size, int length) {
            List<Double> factors = variant(length) == 0 ? shortFactors : longFactors;
            double[] frequencies = plain(theta, size);
            for (int i = 0; i < frequencies.length; i++) {
                frequencies[i] /= factors.get(i);
            }
            return frequencies;
        }

        @Override
        public int variant(int length) {
            return length <= originalPositions ? 0 : 1;
        }

        @Override
        public boolean dependsOnLength() {
            return true;
        }

        @Override
        public boolean switches(int length) {
            return length == originalPositions + 1;
        }
    }

    private static long stretched(int positions, double factor) {
        return Math.max(positions, (long) (positions * factor));
    }

    /** No scaling. */
    RopeScaling NONE = new Default();

    /**
     * Reads {@code rope_scaling} or {@code rope_parameters}.
     *
     * @param node the settings, or null
     * @param positions {@code max_position_embeddings}
     * @param original {@code original_max_position_embeddings} beside the settings, which goes first; or 0
     * @param size rotary size
     * @param family says what the types' names mean
     * @throws BelayException if the type is not known or a number is missing
     */
    static RopeScaling of(JsonNode node, int positions, int original, int size, Family family, Path file) {
        return node == null ? NONE : new RopeSettings(node, family, file).scaling(positions, original, size);
    }
}
