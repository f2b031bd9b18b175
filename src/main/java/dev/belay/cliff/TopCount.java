package dev.belay.cliff;

import dev.belay.BelayException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.regex.Pattern;

/**
 * How many of a ranking to keep, as {@code --top} says it: a number or a percentage.
 *
 * @param value the number, or the percentage
 * @param percent whether it is a percentage
 */
public record TopCount(BigDecimal value, boolean percent) {
    private static final Pattern NUMBER = Pattern.compile("[0-9]{1,9}");
    private static final Pattern PERCENTAGE = Pattern.compile("[0-9]{1,3}(\\.[0-9]{1,9})?%");
    private static final BigDecimal HUNDRED = BigDecimal.valueOf(100);

    /**
     * Reads a whole number from 1 ({@code 3}) or a percentage above 0 % and up to 100 % ({@code 1.7%}).
     *
     * @throws BelayException if it is neither
     */
    public static TopCount parse(String text) {
        boolean percent = PERCENTAGE.matcher(text).matches();
        if (percent || NUMBER.matcher(text).matches()) {
            BigDecimal value = new BigDecimal(percent ? text.substring(0, text.length() - 1) : text);
            if (value.signum() > 0 && !(percent && value.compareTo(HUNDRED) > 0)) {
                return new TopCount(value, percent);
            }
        }
        throw new BelayException("--top '" + text.replaceAll("\\p{Cntrl}", "?")
                + "' is not possible: use a whole number from 1, such as 10,"
                + " or a percentage above 0% and up to 100%, such as 1.7%");
    }

    /**
     * How many of {@code total} that is; a percentage is computed exactly and rounded up, so it is at least 1.
     *
     * @throws BelayException if there are fewer than asked for, or none
     */
    public int of(int total) {
        if (total == 0) {
            throw new BelayException(
                    "--top " + this + " of nothing: there is nothing to choose from; give it at least one");
        }
        if (percent) {
            return value.multiply(BigDecimal.valueOf(total))
                    .divide(HUNDRED, 0, RoundingMode.CEILING)
                    .intValueExact();
        }
        int count = value.intValueExact();
        if (count > total) {
            throw new BelayException(
                    "--top " + count + " is more than the " + total + " there are; use at most " + total + ", or 100%");
        }
        return count;
    }

    /** As {@code --top} takes it. */
    @Override
    public String toString() {
        return value.toPlainString() + (percent ? "%" : "");
    }
}
