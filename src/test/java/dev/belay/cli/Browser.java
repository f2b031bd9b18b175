package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.WebSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import javax.imageio.ImageIO;

/** One page in headless Chromium, driven by its DevTools protocol. */
final class Browser {
    private static final int SECONDS = 60;

    private final HttpClient http = HttpClient.newHttpClient();
    private final BlockingQueue<JsonNode> messages = new LinkedBlockingQueue<>();
    private final List<JsonNode> events = new ArrayList<>();
    private final Process process;
    private final WebSocket socket;
    private int calls;

    private Browser(Process process, Path profile) throws IOException, InterruptedException {
        this.process = process;
        JsonNode page = Cli.parse(http.send(
                        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port(profile) + "/json/list"))
                                .build(),
                        HttpResponse.BodyHandlers.ofString())
                .body());
        socket = http.newWebSocketBuilder()
                .buildAsync(URI.create(page.at("/0/webSocketDebuggerUrl").asText()), new Listener(messages))
                .join();
        for (String domain : List.of("Page", "Network", "Log", "Runtime", "Accessibility")) {
            call(domain + ".enable", Output.object());
        }
    }

    /** Starts the browser, or ends the test as not possible where there is none. */
    static Browser start(Path profile) throws IOException, InterruptedException {
        String program = Stream.of("chromium", "chromium-browser", "google-chrome")
                .flatMap(name -> Stream.of(System.getenv("PATH").split(File.pathSeparator))
                        .map(folder -> Path.of(folder, name)))
                .filter(Files::isExecutable)
                .map(Path::toString)
                .findFirst()
                .orElse(null);
        assumeTrue(program != null, "no chromium, chromium-browser or google-chrome on PATH: pages are not opened");
        Process process = new ProcessBuilder(
                        program,
                        "--headless",
                        "--no-sandbox",
                        "--disable-gpu",
                        "--hide-scrollbars",
                        "--no-first-run",
                        "--disable-background-networking",
                        "--disable-sync",
                        "--remote-debugging-port=0",
                        "--user-data-dir=" + profile,
                        "about:blank")
                .redirectErrorStream(true)
                .redirectOutput(
                        profile.resolveSibling(profile.getFileName() + ".log").toFile())
                .start();
        try {
            return new Browser(process, profile);
        } catch (IOException | InterruptedException | RuntimeException | Error e) {
            end(process);
            throw e;
        }
    }

    /** The port that Chromium chose, which it writes when it listens. */
    private String port(Path profile) throws IOException, InterruptedException {
        Path file = profile.resolve("DevToolsActivePort");
        for (int i = 0; i < 10 * SECONDS && process.isAlive(); i++) {
            if (Files.exists(file) && Files.readAllLines(file).size() == 2) {
                return Files.readAllLines(file).getFirst();
            }
            Thread.sleep(100);
        }
        throw new AssertionError("Chromium does not start, see " + profile + ".log");
    }

    /** Puts messages together from their parts. */
    private static final class Listener implements WebSocket.Listener {
        private final BlockingQueue<JsonNode> messages;
        private final StringBuilder text = new StringBuilder();

        Listener(BlockingQueue<JsonNode> messages) {
            this.messages = messages;
        }

        @Override
        public CompletionStage<?> onText(WebSocket socket, CharSequence data, boolean last) {
            text.append(data);
            if (last) {
                messages.add(Cli.parse(text.toString()));
                text.setLength(0);
            }
            socket.request(1);
            return null;
        }
    }

    private JsonNode next() throws InterruptedException {
        JsonNode message = messages.poll(SECONDS, TimeUnit.SECONDS);
        if (message == null) {
            throw new AssertionError("no answer from Chromium within " + SECONDS + " s");
        }
        if (message.has("method")) {
            events.add(message);
        }
        return message;
    }

    private JsonNode call(String method, ObjectNode parameters) throws InterruptedException {
        int id = ++calls;
        ObjectNode message = Output.object().put("id", id).put("method", method);
        message.set("params", parameters);
        socket.sendText(message.toString(), true).join();
        JsonNode answer = next();
        while (answer.path("id").asInt() != id) {
            answer = next();
        }
        assertFalse(answer.has("error"), () -> method + " " + parameters);
        return answer.get("result");
    }

    /** Opens a file and waits until it is there. */
    void open(Path page) throws InterruptedException {
        events.clear();
        call("Page.navigate", Output.object().put("url", page.toUri().toString()));
        while (events.stream().noneMatch(e -> e.get("method").asText().equals("Page.loadEventFired"))) {
            next();
        }
    }

    /** What was asked of the network and of files since the page was opened, but the page itself. */
    List<String> requests(Path page) {
        return events("Network.requestWillBeSent", "/params/request/url").stream()
                .filter(url -> !url.equals(page.toUri().toString()))
                .toList();
    }

    /** What the page complained about. */
    List<String> complaints() {
        List<String> all = new ArrayList<>(events("Log.entryAdded", "/params/entry/text"));
        all.addAll(events("Runtime.exceptionThrown", "/params/exceptionDetails/text"));
        return all;
    }

    private List<String> events(String method, String value) {
        return events.stream()
                .filter(event -> event.get("method").asText().equals(method))
                .map(event -> event.at(value).asText())
                .toList();
    }

    /** The size in CSS pixels; a width of a phone is of a phone. */
    void size(int width, int height) throws InterruptedException {
        ObjectNode metrics = Output.object().put("width", width).put("height", height);
        call(
                "Emulation.setDeviceMetricsOverride",
                metrics.put("deviceScaleFactor", 1).put("mobile", width < 500));
    }

    /** What the reader prefers, light or dark, and the medium: screen or print. */
    void media(String scheme, String medium) throws InterruptedException {
        ObjectNode media = Output.object().put("media", medium);
        media.putArray("features")
                .addObject()
                .put("name", "prefers-color-scheme")
                .put("value", scheme);
        call("Emulation.setEmulatedMedia", media);
    }

    /** The value of an expression; a promise's when it is kept. */
    JsonNode value(String expression) throws InterruptedException {
        JsonNode result = call(
                "Runtime.evaluate",
                Output.object()
                        .put("expression", expression)
                        .put("returnByValue", true)
                        .put("awaitPromise", true));
        assertFalse(result.has("exceptionDetails"), () -> expression + "\n" + result);
        return result.at("/result/value");
    }

    /** The texts that a list of expressions gives. */
    List<String> texts(String expression) throws InterruptedException {
        return value(expression).valueStream().map(JsonNode::asText).toList();
    }

    /** Clicks with the mouse in the middle of an element. */
    void click(String element) throws InterruptedException {
        JsonNode at = value("(() => { const e = " + element + "; e.scrollIntoView({block: 'center'});"
                + " const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()");
        for (String type : List.of("mousePressed", "mouseReleased")) {
            ObjectNode event =
                    Output.object().put("type", type).put("button", "left").put("clickCount", 1);
            call(
                    "Input.dispatchMouseEvent",
                    event.put("x", at.get(0).asDouble()).put("y", at.get(1).asDouble()));
        }
    }

    /**
     * Presses a key.
     *
     * @param text what it types; may be empty
     */
    void press(String key, int code, String text) throws InterruptedException {
        ObjectNode down = Output.object().put("type", text.isEmpty() ? "rawKeyDown" : "keyDown");
        call("Input.dispatchKeyEvent", down.put("key", key).put("text", text).put("windowsVirtualKeyCode", code));
        ObjectNode up = Output.object().put("type", "keyUp");
        call("Input.dispatchKeyEvent", up.put("key", key).put("windowsVirtualKeyCode", code));
    }

    /** What a screen reader is told of everything with a role: the names. */
    List<String> names(String role) throws InterruptedException {
        return call("Accessibility.getFullAXTree", Output.object())
                .get("nodes")
                .valueStream()
                .filter(node -> !node.path("ignored").booleanValue()
                        && node.at("/role/value").asText().equals(role))
                .map(node -> node.at("/name/value").asText())
                .toList();
    }

    /** A picture of an element. */
    BufferedImage picture(String element) throws InterruptedException, IOException {
        ObjectNode shot = Output.object().put("captureBeyondViewport", true);
        shot.set(
                "clip",
                value("(() => { const r = " + element + ".getBoundingClientRect(); return {x: r.x + scrollX,"
                        + " y: r.y + scrollY, width: r.width, height: r.height, scale: 1}; })()"));
        return ImageIO.read(new ByteArrayInputStream(Base64.getDecoder()
                .decode(call("Page.captureScreenshot", shot).get("data").asText())));
    }

    /** The page as a PDF. */
    byte[] pdf() throws InterruptedException {
        return Base64.getDecoder()
                .decode(call("Page.printToPDF", Output.object()).get("data").asText());
    }

    private static void end(Process process) throws InterruptedException {
        process.descendants().forEach(ProcessHandle::destroy);
        process.destroy();
        process.waitFor(SECONDS, TimeUnit.SECONDS);
    }

    /** Ends the browser. */
    void stop() throws InterruptedException {
        socket.abort();
        http.shutdownNow();
        end(process);
    }
}
