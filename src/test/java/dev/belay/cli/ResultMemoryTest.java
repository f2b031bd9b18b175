package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.cliff.RefusalTrace;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.Writer;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.List;
import javax.management.JMException;
import javax.management.ObjectName;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What commands still hold of their results when they print their summary: the scores at every token only lie in the output. */
class ResultMemoryTest {
    @TempDir
    static Path folder;

    private static Path probe;

    @BeforeAll
    static void prepare() {
        probe = GoldenFiles.probe(folder.resolve("probe.safetensors"));
    }

    /** Objects of a class that are in use. */
    private static int count(Class<?> type) throws JMException {
        Object table = ManagementFactory.getPlatformMBeanServer()
                .invoke(
                        new ObjectName("com.sun.management:type=DiagnosticCommand"),
                        "gcClassHistogram",
                        new Object[] {new String[0]},
                        new String[] {String[].class.getName()});
        return ((String) table)
                .lines()
                .map(line -> line.strip().split("\\s+"))
                .filter(words -> words.length > 3 && words[3].equals(type.getName()))
                .mapToInt(words -> Integer.parseInt(words[1]))
                .findFirst()
                .orElse(0);
    }

    /** Counts traces whenever something is printed. */
    private static final class Counter extends Writer {
        private final StringBuilder printed = new StringBuilder();
        private int most = -1;

        @Override
        public void write(char[] text, int from, int length) {
            printed.append(text, from, length);
        }

        @Override
        public void flush() {
            try {
                most = Math.max(most, count(RefusalTrace.class));
            } catch (JMException e) {
                throw new IllegalStateException(e);
            }
        }

        @Override
        public void close() {}
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "trace ? --probe ? --data ? -o ?",
                "trace ? --probe ? --data ? -o ? --report REPORT",
                "select ? --probe ? --data ? --top 5 -o ? --report REPORT",
                "compare MODEL ? --probe ? --data ? --max-new-tokens 1 -o ? --report REPORT"
            })
    void noTraceIsHeldAtTheEnd(String line) throws JMException {
        Path out = folder.resolve(line.split(" ")[0] + ".out");
        List<String> args = Cli.args(line, Cli.TINY, probe, Cli.data("attacks.jsonl"), out).stream()
                .map(word -> word.equals("REPORT") ? out + ".html" : word.equals("MODEL") ? Cli.TINY + "" : word)
                .toList();
        int before = count(RefusalTrace.class);
        Counter counter = new Counter();
        StringWriter err = new StringWriter();
        int code = Belay.run(new PrintWriter(counter), new PrintWriter(err), args.toArray(String[]::new));
        assertEquals(0, code, err::toString);
        assertTrue(counter.most >= 0, counter.printed::toString);
        assertEquals(before, counter.most);
    }

    /** The counting finds what is held. */
    @Test
    void whatIsHeldIsCounted() throws JMException {
        int before = count(RefusalTrace.class);
        RefusalTrace held = new RefusalTrace("a", new int[1], 0, 0, new double[1], 0, 0);
        assertEquals(before + 1, count(RefusalTrace.class));
        assertEquals("a", held.id());
    }
}
