// A Java client of mutual TLS whose only file is a PKCS #12: `java MutualTls.java <file> <password
// file> <port>`. Prints the entries, then what the server says to it.
import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.Collections;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

public class MutualTls {
  public static void main(String[] args) throws Exception {
    char[] password = Files.readString(Path.of(args[1])).strip().toCharArray();
    KeyStore store = KeyStore.getInstance("PKCS12");
    try (FileInputStream in = new FileInputStream(args[0])) {
      store.load(in, password);
    }
    for (String alias : Collections.list(store.aliases())) {
      boolean isKey = store.isKeyEntry(alias);
      System.out.println((isKey ? "key " : "trusted ") + alias);
    }
    KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
    keys.init(store, password);
    TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
    trust.init(store);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
    int port = Integer.parseInt(args[2]);
    try (SSLSocket socket =
        (SSLSocket) context.getSocketFactory().createSocket("127.0.0.1", port)) {
      InputStreamReader reader = new InputStreamReader(socket.getInputStream());
      System.out.println(new BufferedReader(reader).readLine());
    }
  }
}
