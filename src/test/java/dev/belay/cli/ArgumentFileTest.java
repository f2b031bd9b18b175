package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code @FILE} on a command line stands for the arguments in that file. */
class ArgumentFileTest {
    @TempDir
    Path folder;

    private Path file(String name, String text) {
        return Cli.write(folder.resolve(name), text);
    }

    @Test
    void holdsOptionsOrAWholeCommandLine() {
        String expected = Cli.run("info ? --json --batch-tokens 77", Cli.TINY).ok();
        Path options = file("options", "# For small machines.\n--batch-tokens 77 --json\n");
        assertEquals(expected, Cli.run("info ? @" + options, Cli.TINY).ok());
        Path whole = file("whole", "info\n" + Cli.TINY + "\n--json   --batch-tokens=77\n");
        assertEquals(expected, Cli.run("@" + whole).ok());
        assertEquals(expected, Cli.run("--quiet @" + whole).ok());
        Path outer = file("outer", "info " + Cli.TINY + " @" + options + "\n");
        assertEquals(expected, Cli.run("@" + outer).ok());
        // What comes later wins nowhere: an option given twice is an error.
        Cli.run("info ? --batch-tokens 5 @" + options, Cli.TINY).failed(2, "--batch-tokens");
    }

    /** Quotes keep spaces, and in them backslashes are as in Java. */
    @Test
    void quotesKeepSpacesTogether() {
        Path ids = file("my ids.json", "[[1, 2, 3]]");
        Path out = folder.resolve("my states");
        Path args = file("args", "capture " + Cli.LLAMA + " --ids \"" + ids + "\" -o '" + out + "'\n");
        Cli.run("@" + args).ok();
        Path expected = folder.resolve("expected");
        Cli.run("capture ? --ids ? -o ?", Cli.LLAMA, ids, expected).ok();
        assertArrayEquals(Cli.bytes(expected), Cli.bytes(out));
        Path markers = file("markers", "--thinking-markers \"[T]\\n,[/T]\\n\"\n");
        Path one = Cli.one(folder);
        Path traced = folder.resolve("t");
        Path probe = Cli.probe(folder, 256, 1);
        Cli.run("trace ? --data ? --probe ? -o ? @" + markers, Cli.TINY, one, probe, traced)
                .ok();
        byte[] found = Cli.bytes(traced);
        Cli.run("trace ? --data ? --probe ? -o ? --thinking-markers ?", Cli.TINY, one, probe, traced, "[T]\\n,[/T]\\n")
                .ok();
        assertArrayEquals(Cli.bytes(traced), found);
    }

    /** A run's journal holds what was in the file, not its name: the shards can be merged when it is gone. */
    @Test
    void shardsCanBeMergedWithoutTheFile() {
        Path ids = file("ids.json", "[[1, 2, 3], [4, 5]]");
        Path args = file("args", "--batch-tokens 3\n--positions all");
        Path first = folder.resolve("first");
        Path second = folder.resolve("second");
        Cli.run("capture ? --ids ? -o ? --shard 1/2 @" + args, Cli.LLAMA, ids, first)
                .ok();
        Cli.run("capture ? --ids ? -o ? --shard 2/2 @" + args, Cli.LLAMA, ids, second)
                .ok();
        Path whole = folder.resolve("whole");
        Cli.run("capture ? --ids ? -o ? @" + args, Cli.LLAMA, ids, whole).ok();
        Cli.delete(args);
        Path merged = folder.resolve("merged");
        Cli.run("merge ? ? -o ?", first, second, merged).ok();
        assertArrayEquals(Cli.bytes(whole), Cli.bytes(merged));
    }

    /** A data file whose name begins with @ is no file of arguments, in a merge neither. */
    @Test
    void shardsOfAFileWithSuchANameCanBeMerged() throws IOException {
        Path data = Path.of("@shards.jsonl");
        Path probe = Cli.probe(folder, 256, 1);
        Path merged = folder.resolve("merged");
        Path whole = folder.resolve("whole");
        String line = "trace ? --probe ? --data @@shards.jsonl --dtype f32 --batch-tokens 64 -o ?";
        Files.copy(Cli.few(folder, "attacks.jsonl", 2), data);
        try {
            Cli.run(line, Cli.TINY, probe, whole).ok();
            for (int i = 1; i <= 2; i++) {
                Cli.run(line + " --shard " + i + "/2", Cli.TINY, probe, folder.resolve("part" + i))
                        .ok();
            }
            Cli.run("merge ? ? -o ?", folder.resolve("part1"), folder.resolve("part2"), merged)
                    .ok();
        } finally {
            Files.delete(data);
        }
        assertArrayEquals(Cli.bytes(whole), Cli.bytes(merged));
    }

    @Test
    void aLongCommandLineIsNotToldAtLength() {
        Path many = file("many", "x".repeat(400) + "\n" + "unknown-argument-\ud83e\uddd7\n".repeat(500));
        Cli.Result result = Cli.run("doctor @" + many);
        result.failed(2, "xxx", "... (see 'belay doctor --help')");
        assertTrue(result.err().length() < 1100, result.err());
    }

    @Test
    void aMissingFileIsNamed() {
        Path none = folder.resolve("none");
        Cli.run("info ? @" + none, Cli.TINY).failed(2, "@" + none, "there is no file " + none, "@@" + none);
        Cli.run("@" + folder).failed(2, "there is no file " + folder);
        Cli.run("info @@" + none).failed(1, "@" + none + ": no such model folder");
        Cli.run("@" + file("bad", "info m --dtype f8\n")).failed(2, "unknown dtype 'f8'", "belay info --help");
    }
}
