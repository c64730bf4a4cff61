// Reads a JSON list of certificates from stdin and prints one line for each: "ok", or what Go's
// parser or verifier has against it. Go's is the strictest common reader of X.509; the standard
// library only.
package main

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"time"
)

// One certificate: the chain (leaf first) and its root, PEM; what the leaf must say; and its key,
// where the pair is to be tried.
type entry struct {
	Root, Chain, Key, URI string
	DNSNames              []string
	AtMs                  int64
}

func main() {
	var entries []entry
	if err := json.NewDecoder(os.Stdin).Decode(&entries); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, one := range entries {
		if err := check(one); err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println("ok")
	}
}

func check(one entry) error {
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(one.Root)) {
		return fmt.Errorf("the root is not parsed")
	}
	block, rest := pem.Decode([]byte(one.Chain))
	if block == nil {
		return fmt.Errorf("no PEM")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return err
	}
	for block, rest = pem.Decode(rest); block != nil; block, rest = pem.Decode(rest) {
		above, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return err
		}
		intermediates.AddCert(above)
	}
	if len(leaf.UnhandledCriticalExtensions) > 0 {
		return fmt.Errorf("unhandled critical extensions: %v", leaf.UnhandledCriticalExtensions)
	}
	if len(leaf.URIs) != 1 || leaf.URIs[0].String() != one.URI {
		return fmt.Errorf("URIs: %v", leaf.URIs)
	}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		_, err := leaf.Verify(x509.VerifyOptions{
			Roots:         roots,
			Intermediates: intermediates,
			CurrentTime:   time.UnixMilli(one.AtMs),
			KeyUsages:     []x509.ExtKeyUsage{usage},
		})
		if err != nil {
			return err
		}
	}
	for _, name := range one.DNSNames {
		if err := leaf.VerifyHostname(name); err != nil {
			return err
		}
	}
	return checkKey(one)
}

func checkKey(one entry) error {
	if one.Key == "" {
		return nil
	}
	pair, err := tls.X509KeyPair([]byte(one.Chain), []byte(one.Key))
	if err != nil {
		return err
	}
	if _, ok := pair.PrivateKey.(crypto.Signer); !ok {
		return fmt.Errorf("the key can't sign")
	}
	return nil
}
