package dev.belay.text.jinja;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.FieldSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Templates that would hang, fill the memory or reach Java, each with what the refusal says. */
class BudgetTest {
    private static final String DOUBLED = "{% set ns = namespace(x='xxxxxxxxxx') %}{% for i in range(60) %}";
    private static final String NESTED = "{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(60) %}"
            + "{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}";

    /** A value that is made of two of itself, again and again. */
    private static String doubled(String expression) {
        return "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = " + expression + " %}{% endfor %}";
    }

    static final List<Arguments> HOSTILE = List.of(
            Arguments.of("{% for i in range(10**6) %}x{% endfor %}", "steps"),
            Arguments.of("{% for i in range(2**20 + 1) %}x{% endfor %}", "list of more than"),
            Arguments.of("{{ range(10**15)|length }}", "list of more than"),
            Arguments.of("{{ range(0, 9, 0) }}", "step of range() is 0"),
            Arguments.of("{{ 2**64 }}", "too large"),
            Arguments.of("{{ range(1.5) }}", "whole numbers"),
            Arguments.of("{{ range() }}", "one to three numbers"),
            Arguments.of("{% for i in range(2000) %}{% for j in range(2000) %}{% endfor %}{% endfor %}", "steps"),
            Arguments.of("{% macro m(n) %}{{ m(n + 1) }}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}", "recurs"),
            Arguments.of(
                    "{% macro m(n) %}{% if n < 40 %}{{ m(n + 1) }}{{ m(n + 1) }}{% endif %}{% endmacro %}{{ m(0) }}",
                    "steps"),
            Arguments.of("{{ 'x' * 1000000000 }}", "string of more than"),
            Arguments.of("{{ [1] * 1000000000 }}", "list of more than"),
            Arguments.of(DOUBLED + "{% set ns.x = ns.x + ns.x %}{% endfor %}", "string of more than"),
            Arguments.of(DOUBLED + "{% set ns.x = ns.x ~ ns.x %}{% endfor %}", "string of more than"),
            Arguments.of(DOUBLED + "{% set ns.x = ns.x.replace('x', 'xx') %}{% endfor %}", "string of more than"),
            Arguments.of(DOUBLED + "{% set ns.x = ns.x|replace('x', 'xx') %}{% endfor %}", "string of more than"),
            Arguments.of(DOUBLED + "{% set ns.x = ns.x.join(['a'] * 9) %}{% endfor %}", "string of more than"),
            Arguments.of(DOUBLED + "{% set ns.x = '{0}{0}{0}'.format(ns.x) %}{% endfor %}", "string of more than"),
            Arguments.of(DOUBLED + "{% set ns.x = '%s%s%s' % (ns.x, ns.x, ns.x) %}{% endfor %}", "string of more than"),
            Arguments.of(DOUBLED + "{% set ns.x = ns.x.ljust(2**40) %}{% endfor %}", "width"),
            Arguments.of("{{ 'x'|center(10**9) }}", "list of more than"),
            Arguments.of("{{ [1]|batch(10**9, 'x')|list }}", "list of more than"),
            Arguments.of("{{ [1]|tojson(indent=10**9) }}", "list of more than"),
            Arguments.of(NESTED + "{{ ns.x }}", "list of more than"),
            Arguments.of(NESTED + "{{ ns.x is eq ns.y }}", "list of more than"),
            Arguments.of(doubled("{'a': ns.x, 'b': ns.x}"), "list of more than"),
            Arguments.of(doubled("(ns.x, ns.x)"), "list of more than"),
            Arguments.of(doubled("dict(a=ns.x, b=ns.x)"), "list of more than"),
            Arguments.of(doubled("[ns.x] * 2"), "list of more than"),
            Arguments.of(doubled("[ns.x] + [ns.x]"), "list of more than"),
            Arguments.of(NESTED.replace("range(60)", "range(18)") + "{{ ns.x == ns.y }}", "steps"),
            Arguments.of(NESTED.replace("range(60)", "range(18)") + "{{ [ns.x].index(ns.y) }}", "steps"),
            Arguments.of("{{ [[1], [2]]|unique|list }}", "cannot compare lists"),
            Arguments.of("{{ [{'k': [1]}]|unique(attribute='k')|list }}", "cannot compare lists"),
            Arguments.of("{{ " + "(".repeat(20000) + "1" + ")".repeat(20000) + " }}", "nested too deeply"),
            Arguments.of("{{ " + "-".repeat(20000) + "1 }}", "nested too deeply"),
            Arguments.of("{{ x" + ".x".repeat(20000) + " }}", "nested too deeply"),
            Arguments.of("{{ x" + "|list".repeat(20000) + " }}", "nested too deeply"),
            Arguments.of("{{ " + "not ".repeat(20000) + "1 }}", "nested too deeply"),
            Arguments.of("{{ " + "1 if 0 else ".repeat(20000) + "1 }}", "nested too deeply"),
            Arguments.of("{% set " + "(".repeat(20000) + "x" + ")".repeat(20000) + " = 1 %}", "nested too deeply"),
            Arguments.of("{% if true %}".repeat(20000) + "{% endif %}".repeat(20000), "nested too deeply"),
            Arguments.of("{{ ('a,' * 2000000).rsplit(',')|length }}", "list of more than"),
            Arguments.of("{{ ('a,' * 2000000).split(',')|length }}", "list of more than"),
            Arguments.of("{{ ('a' * 2000000)|list|length }}", "list of more than"),
            Arguments.of("{{ '{{ 1 }}'|render }}", "render"),
            Arguments.of("{{ 'aaaa'|regex_replace('(a+)+b', '') }}", "regex_replace"),
            Arguments.of("{{ ''.getClass() }}", "getClass"),
            Arguments.of("{{ messages.getClass().getClassLoader() }}", "getClass"),
            Arguments.of("{{ ''.__class__.__mro__ }}", "undefined"),
            Arguments.of("{% include '/etc/passwd' %}", "include"));

    @ParameterizedTest
    @FieldSource("HOSTILE")
    void isRefusedInOneLine(String template, String reason) {
        TemplateFailure failure = assertTimeoutPreemptively(
                Duration.ofMinutes(1),
                () -> assertThrows(
                        TemplateFailure.class,
                        () -> JinjaTemplate.of(template).render(Map.of("messages", List.of(Map.of("role", "user"))))));
        assertTrue(failure.getMessage().contains(reason), failure.getMessage());
        assertEquals(1, failure.getMessage().lines().count());
        assertTrue(failure.getMessage().length() < 400, failure.getMessage());
    }

    @Test
    void longExpressionsAndManyStatementsRender() {
        assertEquals(
                "20001", JinjaTemplate.of("{{ 1" + "+1".repeat(20000) + " }}").render(Map.of()));
        assertEquals(
                "x".repeat(20000),
                JinjaTemplate.of("{{ 'x'" + " ~ 'x'".repeat(19999) + " }}").render(Map.of()));
        assertEquals(
                "True",
                JinjaTemplate.of("{{ true" + " and true".repeat(20000) + " }}").render(Map.of()));
        assertEquals(
                "x".repeat(20000),
                JinjaTemplate.of("{% if 1 %}x{% endif %}".repeat(20000)).render(Map.of()));
    }

    /** What would take the product of two lengths, were it searched place by place. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '§',
            value = {
                "t in s § False",
                "s.count(t) § 0",
                "s.rfind('b' ~ t) § -1",
                "s.replace(t, '')|length § 5000000",
                "s.rsplit('b' ~ t)|length § 1",
                "s.strip(('é' * 2500000) ~ 'a')|length § 0",
                "('<!--' * 1000000)|striptags|length § 4000000"
            })
    void searchesOfLongTextsEnd(String expression, String value) {
        String template = "{% set s = 'a' * 5000000 %}{% set t = s[:2500000] ~ 'b' %}{{ " + expression + " }}";
        assertEquals(
                value,
                assertTimeoutPreemptively(
                        Duration.ofMinutes(1), () -> JinjaTemplate.of(template).render(Map.of())));
    }

    /** A long conversation stays far below every limit. */
    @Test
    void longConversationsRender() {
        List<Map<String, String>> turns = Collections.nCopies(2000, Map.of("content", "word ".repeat(1000)));
        String text = JinjaTemplate.of("{% for m in messages %}{{ m.content|trim + '\n' }}{% endfor %}")
                .render(Map.of("messages", turns));
        assertEquals(2000 * 5000, text.length());
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1000, 1001, 5000, 1 << 20})
    void rangesHaveAllTheirNumbers(int size) {
        assertEquals(
                String.valueOf(size),
                JinjaTemplate.of("{{ range(n)|list|length }}").render(Map.of("n", size)));
    }
}
