import com.github.luben.zstd.Zstd;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Replaces files by their compressed forms, FILE.zst, for {@code tools/bundle}: java -cp ZSTD-JNI Compress.java LEVEL FILE... */
class Compress {
    public static void main(String[] arguments) throws IOException {
        for (int i = 1; i < arguments.length; i++) {
            Path file = Path.of(arguments[i]);
            Files.write(Path.of(file + ".zst"), Zstd.compress(Files.readAllBytes(file), Integer.parseInt(arguments[0])));
            Files.delete(file);
        }
    }
}
