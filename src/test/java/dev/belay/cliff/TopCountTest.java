package dev.belay.cliff;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.belay.BelayException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TopCountTest {
    @ParameterizedTest
    @CsvSource({
        "3, 3, 3",
        "1, 270, 1",
        "007, 270, 7",
        "1.7%, 1000, 17", // 1000 * 1.7 / 100 is above 17 in binary floating point
        "1.7%, 270, 5", // 4.59
        "3%, 48, 2", // 1.44
        "0.001%, 48, 1",
        "50%, 5, 3",
        "100%, 48, 48",
        "100.0%, 48, 48",
        "99.999999999%, 2000000000, 2000000000"
    })
    void countsAndRoundsPercentagesUp(String text, int total, int expected) {
        assertEquals(expected, TopCount.parse(text).of(total));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "0",
                "0%",
                "0.0%",
                "101%",
                "100.1%",
                "abc",
                "-1",
                "-1%",
                "",
                "%",
                "1.5",
                "1e2",
                " 3",
                "3 %",
                "+3",
                "1,5%",
                "99999999999",
                "\u0663"
            })
    void refusesWhatIsNoCount(String text) {
        assertEquals(
                "--top '" + text
                        + "' is not possible: use a whole number from 1, such as 10, or a percentage above 0% and up to"
                        + " 100%, such as 1.7%",
                assertThrows(BelayException.class, () -> TopCount.parse(text)).getMessage());
    }

    @Test
    void refusesMoreThanThereAre() {
        assertEquals(
                "--top 49 is more than the 48 there are; use at most 48, or 100%",
                assertThrows(BelayException.class, () -> TopCount.parse("49").of(48))
                        .getMessage());
        assertEquals(
                "--top 1.70% of nothing: there is nothing to choose from; give it at least one",
                assertThrows(BelayException.class, () -> TopCount.parse("1.70%").of(0))
                        .getMessage());
    }
}
