package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Command lines that cannot be understood: nothing here opens a model. */
class CommandLineTest {
    @Test
    void withoutACommandHelpIsShown() {
        Cli.Result result = Cli.run(List.of());
        assertEquals(2, result.code());
        assertEquals("belay: a command is missing (see 'belay --help')\n", result.err());
        assertTrue(result.out().startsWith("Usage: belay "));
    }

    @Test
    void helpIsAlsoACommand() {
        assertEquals(Cli.run("--help").ok(), Cli.run("help").ok());
        assertEquals(Cli.run("info --help").ok(), Cli.run("help info").ok());
        Cli.run("help nothing").failed(2, "there is no command 'nothing'");
        assertEquals(
                Cli.run("probe train --help").ok(), Cli.run("help probe train").ok());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "bogus | there is no command 'bogus' (see 'belay --help')",
                "inof | there is no command 'inof'; did you mean info",
                "probe | say train, test or import (see 'belay probe --help')",
                "probe tests | there is no command 'tests'; did you mean test",
                "--bogus | Unknown option: '--bogus'",
                "info | Missing required parameter: 'MODEL'",
                "info m more | Unmatched argument at index 2: 'more'",
                "info m --bogus | Unknown option: '--bogus' (see 'belay info --help')",
                "info m --dtype f8 | Invalid value for option '--dtype': unknown dtype 'f8': use f32 or bf16",
                "info m --dtype | Missing required parameter for option '--dtype'",
                "info m --batch-tokens 0 | '0' is not a whole number from 1",
                "info m --batch-tokens 1.5 | '1.5' is not a whole number from 1",
                "info m --batch-tokens 9999999999 | '9999999999' is not a whole number from 1",
                "info m --profile p | --profile is for commands that compute; info does not",
                "info m --device gpu | unknown device 'gpu': use cpu, cuda, cuda:n, cuda:GPU-uuid or auto",
                "info m --device cuda: | unknown device 'cuda:'",
                "info m --device cuda:GPU-x | unknown device 'cuda:GPU-x': use cpu, cuda, cuda:n, cuda:GPU-uuid or auto",
                "judge | Missing required parameter: 'R.jsonl'",
                "generate m --ids i -o o --top 3 | --heads H.json is missing",
                "capture m -o o | Missing required argument",
                "capture m --ids i --data d -o o | are mutually exclusive",
                "capture m --ids i | Missing required option: '-o=F.safetensors'",
                "capture m --ids i -o o --positions first | unknown positions 'first': use last, closing, thinking or all",
                "capture m --ids i -o o --positions closing | bare token ids have no closing positions",
                "capture m --data d -o o --positions closing --thinking-markers none | there are no closing positions",
                "capture m --data d -o o --thinking-markers <r> | '<r>' is no pair of markers",
                "generate m --ids i -o o --temperature NaN | 'NaN' is not a finite number",
                "generate m --ids i -o o --temperature -1 | --temperature is -1.0: use a number from 0",
                "generate m --ids i -o o --top-p 0 | --top-p is 0.0",
                "generate m --ids i -o o --top-k -1 | --top-k is -1",
                "generate m --ids i -o o --top-k x | Invalid value for option '--top-k': 'x' is not a whole number (see",
                "verify m --tolerance x | Invalid value for option '--tolerance': 'x' is not a number (see",
                "import f -o o --harmful x | Invalid value for option '--harmful': 'x' is neither true nor false (see",
                "generate m --ids i -o o --max-new-tokens 0 | '0' is not a whole number from 1",
                "generate m --ids i -o o --gamma NaN | 'NaN' is not a finite number",
                "generate m --ids i -o o --thinking start | Invalid value for option '--thinking'",
                "generate m --ids i -o o --positions last:0 | unknown positions 'last:0'",
                "generate m --ids i -o o --top 0 | --top '0' is not possible",
                "generate m --ids i -o o --top 101% | --top '101%' is not possible",
                "ablate m --data d -o o | --heads H.json is missing",
                "heads m --probe p --data d -o o | Missing required option: '--method=METHOD'",
                "heads m --probe p --data d -o o --method best | expected one of [direct, causal, greedy]",
                "heads m --probe p --data d -o o --method causal --positions generated | a sweep generates nothing",
                "heads m --probe p --data d -o o --method causal --limit 0 | '0' is not a whole number from 1",
                "heads m --probe p --data d -o o --method greedy --steps -3 | '-3' is not a whole number from 1",
                "select m --probe p --data d -o o | Missing required option: '--top=N|P%'",
                "select m --probe p --data d -o o --top ten | --top 'ten' is not possible",
                "select m --probe p --data d -o o --top 1 --rank best | unknown ranking 'best'",
                "select m --probe p --data d -o o --top 1 --format csv | unknown training format 'csv'",
                "select m --probe p --data d -o o --top 1 --plateau p50 | p50",
                "probe train m --refused r --complied c -o o --l2 0 | --l2 is 0.0: use a number above 0",
                "probe train m --refused r --complied c -o o --l2 NaN | --l2 is NaN",
                "probe train m --refused r --complied c -o o --kind svm | unknown kind of probe 'svm'",
                "probe train m --refused r --complied c -o o --directions 2 | --directions is for --kind nullspace",
                "probe train m --refused r --complied c -o o --kind nullspace --directions 0 | '0' is not a whole number from 1",
                "probe train m --refused r --complied c | Missing required option: '-o=P.safetensors'",
                "demo --dtype int8 | unknown dtype 'int8'",
                "demo tiny | Unmatched argument",
            })
    void usageErrors(String line, String message) {
        Cli.run(line).failed(2, message);
    }

    @Test
    void aResultThatCannotBePrintedIsAFailure() {
        StringWriter err = new StringWriter();
        PrintWriter full = new PrintWriter(new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                throw new IOException("No space left on device");
            }
        });
        int code = Belay.run(full, new PrintWriter(err), "info", Cli.LLAMA.toString(), "--json");
        assertEquals(1, code);
        assertEquals("belay: cannot write the result to stdout: it is closed or full\n", err.toString());
    }
}
