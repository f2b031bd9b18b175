package dev.belay.text.jinja;

import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoField;
import java.time.temporal.IsoFields;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Python's {@code strftime} in the C locale. */
final class Strftime {
    private static final Pattern FIELD = Pattern.compile("%([-_0^]?)([a-zA-Z%+])");

    private Strftime() {}

    static String format(ZonedDateTime time, String format) {
        return FIELD.matcher(format).replaceAll(field -> {
            char letter = field.group(2).charAt(0);
            String text = field(time, letter);
            return Matcher.quoteReplacement(text == null ? field.group() : padded(field.group(1), text));
        });
    }

    private static String padded(String flag, String text) {
        boolean digits = text.matches("[ 0]*\\d+");
        return switch (flag) {
            case "-" -> digits ? text.replaceFirst("^[ 0]+(?=\\d)", "") : text;
            case "_" -> digits ? " ".repeat(text.length() - padded("-", text).length()) + padded("-", text) : text;
            case "0" -> digits ? text.replace(' ', '0') : text;
            case "^" -> text.toUpperCase(Locale.ROOT);
            default -> text;
        };
    }

    /** A field without flags; null for a letter that means nothing. */
    private static String field(ZonedDateTime time, char letter) {
        int day = time.getDayOfYear();
        int weekday = time.getDayOfWeek().getValue();
        return switch (letter) {
            case 'a' -> text(time, "EEE");
            case 'A' -> text(time, "EEEE");
            case 'b', 'h' -> text(time, "MMM");
            case 'B' -> text(time, "MMMM");
            case 'c' -> format(time, "%a %b %e %H:%M:%S %Y");
            case 'C' -> number(time.getYear() / 100, 2);
            case 'd' -> number(time.getDayOfMonth(), 2);
            case 'D', 'x' -> format(time, "%m/%d/%y");
            case 'e' -> String.format("%2d", time.getDayOfMonth());
            case 'f' -> number(time.getNano() / 1000, 6);
            case 'F' -> format(time, "%Y-%m-%d");
            case 'g' -> number(time.get(IsoFields.WEEK_BASED_YEAR) % 100, 2);
            case 'G' -> number(time.get(IsoFields.WEEK_BASED_YEAR), 4);
            case 'H' -> number(time.getHour(), 2);
            case 'I' -> number(time.get(ChronoField.CLOCK_HOUR_OF_AMPM), 2);
            case 'j' -> number(day, 3);
            case 'k' -> String.format("%2d", time.getHour());
            case 'l' -> String.format("%2d", time.get(ChronoField.CLOCK_HOUR_OF_AMPM));
            case 'm' -> number(time.getMonthValue(), 2);
            case 'M' -> number(time.getMinute(), 2);
            case 'n' -> "\n";
            case 'p' -> time.getHour() < 12 ? "AM" : "PM";
            case 'P' -> time.getHour() < 12 ? "am" : "pm";
            case 'r' -> format(time, "%I:%M:%S %p");
            case 'R' -> format(time, "%H:%M");
            case 's' -> String.valueOf(time.toEpochSecond());
            case 'S' -> number(time.getSecond(), 2);
            case 't' -> "\t";
            case 'T', 'X' -> format(time, "%H:%M:%S");
            case 'u' -> String.valueOf(weekday);
            case 'U' -> number((day + 6 - weekday % 7) / 7, 2);
            case 'V' -> number(time.get(IsoFields.WEEK_OF_WEEK_BASED_YEAR), 2);
            case 'w' -> String.valueOf(weekday % 7);
            case 'W' -> number((day + 7 - weekday) / 7, 2);
            case 'y' -> number(time.getYear() % 100, 2);
            case 'Y' -> String.valueOf(time.getYear());
            // The time has no zone in transformers.
            case 'z', 'Z' -> "";
            case '%' -> "%";
            default -> null;
        };
    }

    private static String text(ZonedDateTime time, String pattern) {
        return DateTimeFormatter.ofPattern(pattern, Locale.ENGLISH).format(time);
    }

    private static String number(int value, int digits) {
        return String.format("%0" + digits + "d", value);
    }
}
