package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Runs in a process of their own, for signals. */
final class RunProcess {
    private RunProcess() {}

    /** Starts a run; a shell that runs the tests in the background would else have it ignore SIGINT. */
    static Process start(List<String> jvmOptions, List<String> args, Path log) throws IOException {
        List<String> command = new ArrayList<>(List.of("env", "--default-signal=INT"));
        List<String> options = new ArrayList<>(List.of("-XX:+UseSerialGC"));
        options.addAll(jvmOptions);
        command.addAll(Cli.process(options, args));
        return new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
    }

    /** Sends a signal, such as INT. */
    static void signal(String name, Process process) throws IOException, InterruptedException {
        assertEquals(
                0,
                new ProcessBuilder("kill", "-" + name, "" + process.pid())
                        .start()
                        .waitFor());
    }
}
