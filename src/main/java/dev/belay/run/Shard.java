package dev.belay.run;

import dev.belay.BelayException;

/**
 * One of several parts of a run.
 *
 * @param number from 1
 * @param count how many there are
 */
public record Shard(int number, int count) {
    /** All of a run. */
    public static final Shard WHOLE = new Shard(1, 1);

    /**
     * Reads {@code i/n}.
     *
     * @throws BelayException if it is not that, with 1 ≤ i ≤ n
     */
    public static Shard parse(String text) {
        if (text.matches("[1-9][0-9]{0,5}/[1-9][0-9]{0,5}")) {
            int slash = text.indexOf('/');
            Shard shard =
                    new Shard(Integer.parseInt(text.substring(0, slash)), Integer.parseInt(text.substring(slash + 1)));
            if (shard.number <= shard.count) {
                return shard;
            }
        }
        throw new BelayException("'" + text + "' is not a shard: use i/n with i from 1 to n, such as 2/8");
    }

    /** Whether this shard has unit {@code unit} of {@code units}: each has a run of neighbours, as many as the others or one more. */
    boolean has(int unit, int units) {
        return unit >= (long) units * (number - 1) / count && unit < (long) units * number / count;
    }

    @Override
    public String toString() {
        return number + "/" + count;
    }
}
