package dev.belay.text.jinja;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.FieldSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Every expectation was checked against jinja2 3.1 with trim_blocks and lstrip_blocks on. Those of the files in the folder jinja of the
 * resources were written by it in the environment of transformers 5.18: lines of a template and what it renders, or null if it fails,
 * with the variables of variables.json.
 */
class JinjaTemplateTest {
    private static final Path RECORDED = Path.of("src/test/resources/jinja");
    private static final Map<String, Object> VARIABLES = Map.of(
            "s",
            "  Hello, World  ",
            "list",
            List.of("a", "b", "c", "d"),
            "nothing",
            List.of(),
            "n",
            3,
            "map",
            Map.of("k", "v"),
            "yes",
            true,
            "inner",
            "{{ s }} {% if %} <b>&</b>",
            "turns",
            List.of(
                    Map.of("role", "user", "content", "one"),
                    Map.of("role", "assistant", "content", "x</t>two"),
                    Map.of("role", "user", "content", "three")));

    static final List<Arguments> WHITE_SPACE = List.of(
            Arguments.of("a\n", "a"),
            Arguments.of("a\n\n", "a\n"),
            Arguments.of("a\r\nb\r\n", "a\nb"),
            Arguments.of("{% if yes %}\nx\n{% endif %}\ny", "x\ny"),
            Arguments.of("{% if yes %}\n\nx{% endif %}", "\nx"),
            Arguments.of("a\n   {% if yes %}  x{% endif %}", "a\n  x"),
            Arguments.of("  {% if yes %}x{% endif %}", "x"),
            Arguments.of("a {% if yes %}x {% endif %}", "a x "),
            Arguments.of("a\n  {%+ if yes %}x{% endif %}", "a\n  x"),
            Arguments.of("{% if yes +%}\nx{% endif %}", "\nx"),
            Arguments.of("a \n {%- if yes -%} \n x \n{%- endif -%} \n b", "axb"),
            Arguments.of("a\n {{ n }}\nb", "a\n 3\nb"),
            Arguments.of("a\n {{- n -}} \n b", "a3b"),
            Arguments.of("a\n  {# note #}\nb", "a\nb"),
            Arguments.of("a {#- {{ no }} -#} b", "ab"),
            Arguments.of("a{# one #}b{# 'two #}c", "abc"),
            Arguments.of("{% raw %}{{ s }} {% x %}{% endraw %}", "{{ s }} {% x %}"),
            Arguments.of("a\n {%- raw -%} {{ {%- endraw %}\nb", "a{{b"),
            Arguments.of("{\"k\": {{ n }}} }} %} #}", "{\"k\": 3} }} %} #}"),
            Arguments.of("a\\n{b\\", "a\\n{b\\"),
            Arguments.of("{{ {'a': {'b': 'deep}}'}}['a'].b }}", "deep}}"),
            Arguments.of("{% set x %}one\n two{% endset %}[{{ x }}]", "[one\n two]"),
            Arguments.of("{% generation %}\nx{% endgeneration %}", "x"),
            Arguments.of("{% filter upper %}a{{ n }}b{% endfilter %}", "A3B"),
            Arguments.of("{% for t in turns %}{{ loop.cycle('a', 'b') }}{% endfor %}", "aba"),
            Arguments.of(
                    "{% macro t(x, d) %}{% if d > 0 %}({{ t(x, d - 1) }}){% else %}{{ x }}{% endif %}{% endmacro %}{{ t('z', 3) }}",
                    "(((z)))"));

    static final List<Arguments> EXPRESSIONS = List.of(
            Arguments.of("list[::-1] | join", "dcba"),
            Arguments.of("list[1:] | join", "bcd"),
            Arguments.of("list[:-1] | join", "abc"),
            Arguments.of("list[1:3] | join", "bc"),
            Arguments.of("list[::2] | join", "ac"),
            Arguments.of("list[-2:] | join", "cd"),
            Arguments.of("list[5:] | join", ""),
            Arguments.of("list[2:0:-1] | join", "cb"),
            Arguments.of("'hello'[1:-1]", "ell"),
            Arguments.of("'hello'[::-1]", "olleh"),
            Arguments.of("'hello'[-1]", "o"),
            Arguments.of("list[-1] + list[n - 1]", "dc"),
            Arguments.of("list[9] is defined", "False"),
            Arguments.of("['x', \"it's\", 1, none, true]", "['x', \"it's\", 1, None, True]"),
            Arguments.of("{'a': 1, 'b': ['x']}", "{'a': 1, 'b': ['x']}"),
            Arguments.of("('a',)", "('a',)"),
            Arguments.of("(1, 'b')", "(1, 'b')"),
            Arguments.of("(1, 2) == [1, 2]", "False"),
            Arguments.of("{'a': 1} | items | list", "[('a', 1)]"),
            Arguments.of("1e5", "100000.0"),
            Arguments.of("0.1 + 0.2", "0.30000000000000004"),
            Arguments.of("'ab' * 3", "ababab"),
            Arguments.of("2 * [1]", "[1, 1]"),
            Arguments.of("2 * 3", "6"),
            Arguments.of("7 % 3", "1"),
            Arguments.of("'%s and %d' % ('a', 3)", "a and 3"),
            Arguments.of("'%s%%' % 5", "5%"),
            Arguments.of("'a{}b{}'.format(1, 'z')", "a1bz"),
            Arguments.of("'{1}{0}{{}}'.format('x', 'y')", "yx{}"),
            Arguments.of("'a=b=c'.partition('=')[2]", "b=c"),
            Arguments.of("'a=b=c'.rpartition('=')[0]", "a=b"),
            Arguments.of("'abc'.partition('=')", "('abc', '', '')"),
            Arguments.of("'-42'.zfill(5)", "-0042"),
            Arguments.of("'ab'.ljust(4) + '.'", "ab  ."),
            Arguments.of("'ab'.rjust(4, '*')", "**ab"),
            Arguments.of("'ab'.center(5) + '.'", "  ab ."),
            Arguments.of("'abc'.center(6) + '.'", " abc  ."),
            Arguments.of("'aBc'.swapcase()", "AbC"),
            Arguments.of("'b' is in 'abc'", "True"),
            Arguments.of("n is in [1, 3]", "True"),
            Arguments.of("'k' is in map", "True"),
            Arguments.of("[1, 3, 2] | max", "3"),
            Arguments.of("['b', 'a'] | min", "a"),
            Arguments.of("dict(x=1, y='z')", "{'x': 1, 'y': 'z'}"),
            Arguments.of("{'b': 1, 'a': 2} | tojson(sort_keys=true)", "{\"a\": 2, \"b\": 1}"),
            Arguments.of("'é😀' | tojson(ensure_ascii=true)", "\"\\u00e9\\ud83d\\ude00\""),
            Arguments.of("{'a': [1, 2]} | tojson(separators=(',', ':'))", "{\"a\":[1,2]}"),
            Arguments.of("s.strip() + '|'", "Hello, World|"),
            Arguments.of("s.lstrip() + '|'", "Hello, World  |"),
            Arguments.of("s.rstrip() + '|'", "  Hello, World|"),
            Arguments.of("'\\n\\nx\\n'.lstrip('\\n') + '|'", "x\n|"),
            Arguments.of("'xxaxx'.strip('x')", "a"),
            Arguments.of("'a.b.c'.split('.')[-1]", "c"),
            Arguments.of("'a.b.'.split('.') | length", "3"),
            Arguments.of("'a.b.c'.split('.', 1)[1]", "b.c"),
            Arguments.of("'a.b.c'.rsplit('.', 1)[0]", "a.b"),
            Arguments.of("' a  b '.split() | join('-')", "a-b"),
            Arguments.of("s.startswith('  H') and not s.endswith('d')", "True"),
            Arguments.of("'abc'.endswith(('x', 'c'))", "True"),
            Arguments.of("'aXbX'.replace('X', '-', 1)", "a-bX"),
            Arguments.of("'aB'.upper() ~ 'aB'.lower() ~ 'ab cd'.title() ~ 'ab'.capitalize()", "ABabAb CdAb"),
            Arguments.of("'a,b' | replace(',', '+')", "a+b"),
            Arguments.of("' x\\u00a0' | trim", "x"),
            Arguments.of("'W' in s and 'z' not in s and 'b' in list and 'k' in map", "True"),
            Arguments.of("not s == 'x'", "True"),
            Arguments.of("not list is string and list is iterable", "True"),
            Arguments.of("(n == 3) != (n % 2 == 0)", "True"),
            Arguments.of("missing is defined or missing is none", "False"),
            Arguments.of("none is none and none is defined and not none", "True"),
            Arguments.of("missing is not none and missing is not defined and missing is undefined", "True"),
            Arguments.of("s == none or n == none or none != none or n == '3' or 'true' == true", "False"),
            Arguments.of("not 'false' or not list != ['a'] or 3 == 3.5", "False"),
            Arguments.of("map.get('z') is none and map.z is undefined", "True"),
            Arguments.of("none ~ true ~ missing ~ 1", "NoneTrue1"),
            Arguments.of("[1] + [2, 3] == [1, 2, 3] and 1 + 2 == n", "True"),
            Arguments.of("none | default('d') ~ none | tojson", "Nonenull"),
            Arguments.of("n is not none and n is number", "True"),
            Arguments.of("yes is true", "True"),
            Arguments.of("map is mapping and s is string", "True"),
            Arguments.of("list | length - 1", "3"),
            Arguments.of("list | length is odd", "False"),
            Arguments.of("list | first ~ list | last", "ad"),
            Arguments.of("missing | default('d')", "d"),
            Arguments.of("missing | default(false) is false", "True"),
            Arguments.of("'' | default('d', true)", "d"),
            Arguments.of("missing or 'or'", "or"),
            Arguments.of("'' and 'x' or 'y'", "y"),
            Arguments.of("'a' if n > 2 else raise_exception('no')", "a"),
            Arguments.of("'a' if missing else 'b' | upper", "B"),
            Arguments.of("'one' 'two'", "onetwo"),
            Arguments.of("'it\\'s \\\\ \\t|' + \"\\\"q\\\" {{ }}\"", "it's \\ \t|\"q\" {{ }}"),
            Arguments.of("'\\d'", "\\d"),
            Arguments.of("map.k ~ map['k'] ~ map.get('z', 'no')", "vvno"),
            Arguments.of("map.items() | list | length", "1"),
            Arguments.of("{'a': [1, 'x<é', none, true]} | tojson", "{\"a\": [1, \"x<é\", null, true]}"),
            Arguments.of("{'a': [1]} | tojson(indent=2)", "{\n  \"a\": [\n    1\n  ]\n}"),
            Arguments.of("inner", "{{ s }} {% if %} <b>&</b>"),
            Arguments.of("strftime_now is defined", "True"),
            Arguments.of("range(3) | join(',')", "0,1,2"),
            Arguments.of("2 * 3**2", "18"),
            Arguments.of("2**3**2", "64"),
            Arguments.of("-2**2", "4"),
            Arguments.of("2**-1", "0.5"),
            Arguments.of("2 + 3 * 4**2 - 1", "49"),
            Arguments.of("10 % 3**2", "1"),
            Arguments.of("-3|abs", "3"),
            Arguments.of("- -3", "3"),
            Arguments.of("-n|abs + 1", "4"),
            Arguments.of("(2 * 3)**2", "36"),
            Arguments.of("8 // 2**2", "2"),
            Arguments.of("2**2 * 2**3", "32"),
            Arguments.of("-3 is number", "True"),
            Arguments.of("['a', 'A', 'b', 'a']|unique|join(',')", "a,b"),
            Arguments.of("['a', 'A', 'b', 'a']|unique(true)|join(',')", "a,A,b"),
            Arguments.of("['a', 'A']|unique(case_sensitive=true)|join(',')", "a,A"),
            Arguments.of("[1, 1.0, true, 2]|unique|join(',')", "1,2"),
            Arguments.of("turns|unique(attribute='role')|map(attribute='content')|join(',')", "one,x</t>two"),
            Arguments.of("'hello'|unique|join", "helo"),
            Arguments.of("[(1, 2), (1, 2), (2, 1)]|unique|list|length", "2"),
            Arguments.of("[none, none, n]|unique|list|length", "2"),
            Arguments.of("map|unique|join", "k"),
            Arguments.of("range(2, 5)|join(',')", "2,3,4"),
            Arguments.of("range(5, 0, -2)|join(',')", "5,3,1"),
            Arguments.of("range(0, 7, 3)|join(',')", "0,3,6"),
            Arguments.of("range(3, 1)|join(',')", ""),
            Arguments.of("range(-2, 1)|join(',')", "-2,-1,0"),
            Arguments.of("range(true)|join", "0"));

    static final List<Arguments> STATEMENTS = List.of(
            Arguments.of(
                    "{% for x in list %}{{ loop.index }}{{ x }}{{ ',' if not loop.last }}{% endfor %}", "1a,2b,3c,4d"),
            Arguments.of("{% for x in list[::-1] %}{{ loop.index0 }}{{ x }}{% endfor %}", "0d1c2b3a"),
            Arguments.of("{% for x in list if x != 'b' %}{{ loop.length }}{{ x }}{% endfor %}", "3a3c3d"),
            Arguments.of("{% for x in nothing %}x{% else %}none{% endfor %}", "none"),
            Arguments.of("{% for x in list %}{{ x }}{% else %}none{% endfor %}", "abcd"),
            Arguments.of("{% for k, v in map.items() %}{{ k }}={{ v }}{% endfor %}", "k=v"),
            Arguments.of("{% for x in list %}{{ loop.previtem }}<{{ loop.nextitem }} {% endfor %}", "<b a<c b<d c< "),
            Arguments.of("{% for x in list %}{% if x == 'c' %}{% break %}{% endif %}{{ x }}{% endfor %}", "ab"),
            Arguments.of("{% for x in list %}{% if x == 'b' %}{% continue %}{% endif %}{{ x }}{% endfor %}", "acd"),
            Arguments.of("{% set y = 1 %}{% for x in list %}{% set y = y + 1 %}{{ y }}{% endfor %}{{ y }}", "22221"),
            Arguments.of(
                    "{% set ns = namespace(i=list|length - 1, t='') %}{% for x in list %}{% set ns.i = ns.i + 1 %}"
                            + "{% set ns.t = ns.t + x %}{% endfor %}{{ ns.i }}{{ ns.t }}",
                    "7abcd"),
            Arguments.of("{% if missing %}a{% elif n == 3 %}b{% else %}c{% endif %}", "b"),
            Arguments.of("{% if 'false' %}{{ 'yes' if 'False' else 'no' }}{% endif %}", "yes"),
            Arguments.of("{% set a, b = 'x', 'y' %}{{ b }}{{ a }}", "yx"),
            Arguments.of("{% macro f(a, b='d') %}{{ a }}{{ b }}{% endmacro %}{{ f('x') }}{{ f('y', 'z') }}", "xdyz"),
            Arguments.of(
                    "{% for t in turns %}{% set c = t.content %}{% if '</t>' in c %}{% set c = c.split('</t>')[-1] %}{% endif %}"
                            + "<{{ t['role'] }}>{{ c }}{% endfor %}",
                    "<user>one<assistant>two<user>three"),
            Arguments.of(
                    "{{ turns | selectattr('role', 'equalto', 'user') | map(attribute='content') | join('+') }}",
                    "one+three"),
            Arguments.of(
                    "{% for t in turns | rejectattr('role', 'equalto', 'user') %}{{ t.role }}{% endfor %}",
                    "assistant"));

    @ParameterizedTest
    @FieldSource({"WHITE_SPACE", "STATEMENTS"})
    void rendersLikeJinja2(String template, String expected) {
        assertEquals(expected, JinjaTemplate.of(template).render(VARIABLES));
    }

    @ParameterizedTest
    @FieldSource("EXPRESSIONS")
    void evaluatesLikePython(String expression, String expected) {
        assertEquals(expected, JinjaTemplate.of("{{ " + expression + " }}").render(VARIABLES));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "missing.x",
                "missing['x']",
                "missing[1:]",
                "missing.strip()",
                "s + missing",
                "s + none",
                "s + 1",
                "n + s",
                "list.pop()",
                "list.append(1)",
                "none.x.y",
                "s.getClass()",
                "map.getClass()",
                "loop.getClass()",
                "n.toString()",
                "nofunction(1)"
            })
    void failsWherePythonFailsOrTheSandboxEnds(String expression) {
        JinjaTemplate template = JinjaTemplate.of("{{ " + expression + " }}");
        TemplateFailure failure = assertThrows(TemplateFailure.class, () -> template.render(VARIABLES));
        assertEquals(1, failure.getMessage().lines().count(), failure.getMessage());
    }

    @ParameterizedTest
    @ValueSource(strings = {"expressions", "filters", "markup", "methods", "statements", "tests", "undefined"})
    void rendersWhatJinja2Wrote(String topic) throws IOException {
        ObjectMapper json = new ObjectMapper();
        Map<String, Object> variables =
                json.readValue(RECORDED.resolve("variables.json").toFile(), new TypeReference<>() {});
        List<String> failures = new ArrayList<>();
        List<String> lines = Files.readAllLines(RECORDED.resolve(topic + ".jsonl"));
        assertFalse(lines.isEmpty());
        for (String line : lines) {
            JsonNode row = json.readTree(line);
            String actual = rendered(row.get(0).textValue(), variables);
            if (!Objects.equals(row.get(1).textValue(), actual)) {
                failures.add(line + " renders " + json.writeValueAsString(actual));
            }
        }
        assertEquals("", String.join("\n", failures));
    }

    /** What the template renders; null if it fails in one line. */
    private static String rendered(String template, Map<String, Object> variables) {
        try {
            return JinjaTemplate.of(template).render(variables);
        } catch (TemplateFailure e) {
            assertEquals(1, e.getMessage().lines().count(), e.getMessage());
            return null;
        }
    }

    @Test
    void saysWhatIsUndefined() {
        JinjaTemplate template = JinjaTemplate.of("{{ map.a.b }}");
        assertEquals(
                "'map.a' is undefined",
                assertThrows(TemplateFailure.class, () -> template.render(VARIABLES))
                        .getMessage());
    }

    @Test
    void knowsTheDate() {
        String year = JinjaTemplate.of("{{ strftime_now('%Y') }}").render(VARIABLES);
        assertEquals(LocalDate.now().getYear(), Integer.parseInt(year));
    }

    /** As Python's strftime of the same times. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            ignoreLeadingAndTrailingWhitespace = false,
            value = {
                "2024-01-01T00:05:09Z|Mon Monday Jan January Mon Jan  1 00:05:09 2024 20 01 01/01/24  1 2024-01-01 24 2024 00 12 001"
                        + "  0 12 01 05 AM am 12:05:09 AM 00:05 09 00:05:09 1 00 01 1 01 01/01/24 00:05:09 24 2024 % 1 1 12  1 01 MON Jan  %q",
                "2026-12-31T15:04:05Z|Thu Thursday Dec December Thu Dec 31 15:04:05 2026 20 31 12/31/26 31 2026-12-31 26 2026 15 03 365"
                        + " 15  3 12 04 PM pm 03:04:05 PM 15:04 05 15:04:05 4 52 53 4 52 12/31/26 15:04:05 26 2026 % 31 12 3 31 31 THU Dec  %q",
                "2023-01-01T12:00:00Z|Sun Sunday Jan January Sun Jan  1 12:00:00 2023 20 01 01/01/23  1 2023-01-01 22 2022 12 12 001"
                        + " 12 12 01 00 PM pm 12:00:00 PM 12:00 00 12:00:00 7 01 52 0 00 01/01/23 12:00:00 23 2023 % 1 1 12  1 01 SUN Jan  %q",
                "2020-02-29T23:59:59Z|Sat Saturday Feb February Sat Feb 29 23:59:59 2020 20 29 02/29/20 29 2020-02-29 20 2020 23 11 060"
                        + " 23 11 02 59 PM pm 11:59:59 PM 23:59 59 23:59:59 6 08 09 6 08 02/29/20 23:59:59 20 2020 % 29 2 11 29 29 SAT Feb  %q"
            })
    void writesTimesLikePython(ZonedDateTime time, String expected) {
        String fields =
                "%a %A %b %B %c %C %d %D %e %F %g %G %H %I %j %k %l %m %M %p %P %r %R %S %T %u %U %V %w %W %x %X %y %Y %% "
                        + "%-d %-m %-I %_d %0e %^a %h %Z%z %q";
        assertEquals(expected, Strftime.format(time, fields));
    }

    @Test
    void namesTheLineOfWhatIsNotClosed() {
        assertEquals(
                "the tag that begins on line 3 is not closed",
                assertThrows(TemplateFailure.class, () -> JinjaTemplate.of("a\nb\n{% if x"))
                        .getMessage());
        assertEquals(
                "the comment that begins on line 1 is not closed",
                assertThrows(TemplateFailure.class, () -> JinjaTemplate.of("a {# x"))
                        .getMessage());
    }
}
