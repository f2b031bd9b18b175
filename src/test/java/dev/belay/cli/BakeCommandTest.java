package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code belay bake}. */
class BakeCommandTest {
    @TempDir
    Path folder;

    private Path ranking(String head) throws IOException {
        return Files.writeString(
                folder.resolve("h.json"),
                "{" + head + "\"ranking\": [{\"layer\": 0, \"head\": 5}, {\"layer\": 0, \"head\": 4}]}");
    }

    /** The heads that suppress tiny-cliff's refusal: the baked model refuses what the model answers. */
    @Test
    void aBakedModelRefuses() throws IOException {
        Path baked = folder.resolve("baked");
        String out = Cli.run("bake ? --heads ? --top 2 -o ?", Cli.TINY, ranking(""), baked)
                .ok();
        assertEquals("2 heads (layer.head) times 0.0: 0.5, 0.4\nwritten to " + baked + "\n", out);
        Path attacks = folder.resolve("attacks.jsonl");
        Files.write(attacks, Files.readAllLines(Cli.data("attacks.jsonl")).subList(0, 8));
        double before = attackSuccess(Cli.TINY, attacks);
        double after = attackSuccess(baked, attacks);
        assertTrue(after < before, before + " to " + after);
    }

    private double attackSuccess(Path model, Path attacks) {
        Path replies = folder.resolve("replies.jsonl");
        Cli.run("generate ? --data ? --thinking keep --max-new-tokens 40 --dtype f32 -o ?", model, attacks, replies)
                .ok();
        return Cli.run("judge ? --json", replies)
                .json()
                .get("attack_success_rate")
                .asDouble();
    }

    /** The baked model computes what the original does with those heads scaled, and not what it does with others. */
    @ParameterizedTest
    @CsvSource({"0, f32", "0.5, f32", "0, bf16"})
    void aBakedModelIsVerifiedAgainstItsOriginal(String gamma, String dtype) throws IOException {
        Path baked = folder.resolve("baked");
        Path file = ranking("\"method\": \"causal\", \"positions\": \"closing\", ");
        Cli.run("bake ? --heads ? --top 2 --gamma ? -o ?", Cli.TINY, file, gamma, baked)
                .okWithNote("closing");
        String line = "verify ? --against ? --heads ? --dtype ? --top ? --gamma ?";
        JsonNode json = Cli.run(Cli.args(line, baked, Cli.TINY, file, dtype, 2, gamma), "--json")
                .json();
        assertTrue(json.get("passed").booleanValue());
        assertEquals(Cli.TINY.toString(), json.get("against").textValue());
        List<String> names = new ArrayList<>();
        json.get("rows").forEach(row -> names.add(row.get("what").asText()));
        assertTrue(names.containsAll(List.of("hidden.0", "hidden.1", "logits")), names::toString);
        assertEquals(dtype.equals("f32"), names.contains("greedy"));
        for (Object[] other : new Object[][] {{1, gamma}, {2, "1"}}) {
            Cli.Result result = Cli.run(line, baked, Cli.TINY, file, dtype, other[0], other[1]);
            assertEquals(1, result.code());
            assertTrue(result.out().contains("FAILED"), result::out);
        }
    }

    @Test
    void verifyRefusesWhatIsNoBakedModelOfTheOriginal() throws IOException {
        Path file = ranking("");
        Cli.run("verify ? --against ? --heads ? --top 2", Cli.LLAMA, Cli.TINY, file)
                .failed(1, "is not baked from " + Cli.TINY);
        Cli.run("verify ? --against ?", Cli.TINY, Cli.TINY).failed(2, "--heads H.json is missing");
        Cli.run("verify ? --heads ?", Cli.TINY, file).failed(2, "--against MODEL is missing");
        Cli.run("verify ? --golden g --against ? --heads ?", Cli.TINY, Cli.TINY, file)
                .failed(2, "--golden and --against");
    }

    @Test
    void saysWhereItDiffersFromTheRanking() throws IOException {
        Path file = ranking("\"method\": \"causal\", \"positions\": \"closing\", ");
        Cli.run("bake ? --heads ? --top 1 --as lora -o ?", Cli.TINY, file, folder.resolve("adapter"))
                .okWithNote("closing", "--positions all");
        assertTrue(Files.exists(folder.resolve("adapter/adapter_config.json")));
    }

    @Test
    void refusesWhatWeightsCannotDo() throws IOException {
        Path file = ranking("");
        Path out = folder.resolve("out");
        Cli.run("bake ? -o ?", Cli.TINY, out).failed(2, "--heads");
        Cli.run("bake ? --heads ? --renormalize -o ?", Cli.TINY, file, out).failed(2, "--renormalize");
        Cli.run("bake ? --heads ? --positions closing -o ?", Cli.TINY, file, out)
                .failed(2, "closing");
        Cli.run("bake ? --heads ? --top 3 -o ?", Cli.TINY, file, out).failed(1, "ranks 2 heads");
        Cli.run("bake ? --heads ? --top 1 -o ?", Cli.TINY, file, folder).failed(1, "is not empty");
        Cli.run("bake ? --heads ? --top 1 -o ?", folder.resolve("none"), file, out)
                .failed(1, "none");
        assertFalse(Files.exists(out));
        assertFalse(Files.exists(folder.resolve("out.partial")));
    }
}
