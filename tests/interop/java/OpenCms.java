import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Key;
import java.security.PrivateKey;
import java.security.Security;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.ASN1OctetString;
import org.bouncycastle.asn1.cms.CMSObjectIdentifiers;
import org.bouncycastle.asn1.cms.ContentInfo;
import org.bouncycastle.asn1.cms.GCMParameters;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cms.CMSAuthEnvelopedData;
import org.bouncycastle.cms.CMSEnvelopedData;
import org.bouncycastle.cms.CMSEnvelopedDataParser;
import org.bouncycastle.cms.CMSException;
import org.bouncycastle.cms.KeyAgreeRecipientId;
import org.bouncycastle.cms.KeyTransRecipientId;
import org.bouncycastle.cms.Recipient;
import org.bouncycastle.cms.RecipientId;
import org.bouncycastle.cms.RecipientInformation;
import org.bouncycastle.cms.RecipientInformationStore;
import org.bouncycastle.cms.RecipientOperator;
import org.bouncycastle.cms.jcajce.JceKeyAgreeEnvelopedRecipient;
import org.bouncycastle.cms.jcajce.JceKeyAgreeRecipient;
import org.bouncycastle.cms.jcajce.JceKeyTransAuthEnvelopedRecipient;
import org.bouncycastle.cms.jcajce.JceKeyTransEnvelopedRecipient;
import org.bouncycastle.jcajce.io.CipherInputStream;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter;
import org.bouncycastle.operator.InputAEADDecryptor;

/**
 * Opens CMS files with Bouncy Castle: as many as standard input has lines, for starting Java costs more than opening.
 *
 * <p>A line: way, PKCS#8 key, certificate (both DER), sealed file, where to write; tabs between. The ways: `memory`,
 * `stream`, and `head`, which only reads up to the first encrypted byte. An answer: `ok`, or `no` and why.
 */
public final class OpenCms {
    private static final BouncyCastleProvider BC = new BouncyCastleProvider();

    public static void main(String[] arguments) throws Exception {
        Security.addProvider(BC);
        PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        answers.println("version\t" + BC.getVersionStr());
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String answer = answer(line.split("\t"));
            answers.println(answer.replaceAll("\\s+", " "));
        }
    }

    private static String answer(String[] fields) {
        try {
            open(fields[0], Path.of(fields[1]), Path.of(fields[2]), Path.of(fields[3]), Path.of(fields[4]));
            return "ok";
        } catch (Exception | Error problem) {
            StringBuilder said = new StringBuilder("no");
            for (Throwable cause = problem; cause != null; cause = cause.getCause()) {
                said.append(' ').append(cause);
            }
            return said.toString();
        }
    }

    private static void open(String way, Path keyFile, Path certificateFile, Path sealed, Path plain) throws Exception {
        PrivateKey key = new JcaPEMKeyConverter()
                .setProvider(BC)
                .getPrivateKey(PrivateKeyInfo.getInstance(Files.readAllBytes(keyFile)));
        X509CertificateHolder certificate = new X509CertificateHolder(Files.readAllBytes(certificateFile));
        if (way.equals("memory")) {
            Files.write(plain, openInMemory(Files.readAllBytes(sealed), key, certificate));
            return;
        }
        try (InputStream input = new FileInputStream(sealed.toFile())) {
            // Not a FileInputStream that tells its size: lengths are then judged as from a network.
            openStream(new Unsized(input), key, certificate, way.equals("head") ? null : plain);
        }
    }

    private static byte[] openInMemory(byte[] sealed, PrivateKey key, X509CertificateHolder certificate)
            throws Exception {
        ContentInfo message = ContentInfo.getInstance(sealed);
        boolean authenticated = message.getContentType().equals(CMSObjectIdentifiers.authEnvelopedData);
        RecipientInformationStore all = authenticated
                ? new CMSAuthEnvelopedData(sealed).getRecipientInfos()
                : new CMSEnvelopedData(sealed).getRecipientInfos();
        return mine(all, key, certificate).getContent(opener(key, authenticated));
    }

    /** CMSEnvelopedDataParser; the library has no such parser for AuthEnvelopedData. */
    private static void openStream(InputStream sealed, PrivateKey key, X509CertificateHolder certificate, Path plain)
            throws Exception {
        CMSEnvelopedDataParser message = new CMSEnvelopedDataParser(sealed);
        RecipientInformation mine = mine(message.getRecipientInfos(), key, certificate);
        InputStream content = mine.getContentStream(opener(key, false)).getContentStream();
        if (plain != null) {
            Files.copy(content, plain);
        }
    }

    private static RecipientInformation mine(
            RecipientInformationStore all, PrivateKey key, X509CertificateHolder certificate) throws CMSException {
        RecipientId id = key.getAlgorithm().equals("RSA")
                ? new KeyTransRecipientId(certificate.getIssuer(), certificate.getSerialNumber())
                : new KeyAgreeRecipientId(certificate.getIssuer(), certificate.getSerialNumber());
        RecipientInformation found = all.get(id);
        if (found == null) {
            throw new CMSException("not sealed to this certificate");
        }
        return found;
    }

    private static Recipient opener(PrivateKey key, boolean authenticated) {
        if (!key.getAlgorithm().equals("RSA")) {
            return authenticated
                    ? new KeyAgreeAuthEnvelopedRecipient(key)
                    : new JceKeyAgreeEnvelopedRecipient(key).setProvider(BC);
        }
        return authenticated
                ? new JceKeyTransAuthEnvelopedRecipient(key).setProvider(BC)
                : new JceKeyTransEnvelopedRecipient(key).setProvider(BC);
    }

    /** What the library lacks: AuthEnvelopedData by key agreement (it has it by key transport). */
    private static final class KeyAgreeAuthEnvelopedRecipient extends JceKeyAgreeRecipient {
        KeyAgreeAuthEnvelopedRecipient(PrivateKey key) {
            super(key);
            setProvider(BC);
        }

        @Override
        public RecipientOperator getRecipientOperator(
                AlgorithmIdentifier wrapping,
                AlgorithmIdentifier content,
                SubjectPublicKeyInfo sender,
                ASN1OctetString material,
                byte[] wrapped)
                throws CMSException {
            Key key = extractSecretKey(wrapping, content, sender, material, wrapped);
            return new RecipientOperator(new GcmDecryptor(key, content));
        }
    }

    private static final class GcmDecryptor implements InputAEADDecryptor {
        private static final ASN1ObjectIdentifier AES256_GCM =
                new ASN1ObjectIdentifier("2.16.840.1.101.3.4.1.46");

        private final AlgorithmIdentifier algorithm;
        private final Cipher cipher;

        GcmDecryptor(Key key, AlgorithmIdentifier algorithm) throws CMSException {
            this.algorithm = algorithm;
            if (!algorithm.getAlgorithm().equals(AES256_GCM)) {
                throw new CMSException("not AES-256-GCM");
            }
            try {
                GCMParameters parameters = GCMParameters.getInstance(algorithm.getParameters());
                cipher = Cipher.getInstance("AES/GCM/NoPadding", BC);
                cipher.init(
                        Cipher.DECRYPT_MODE,
                        key,
                        new GCMParameterSpec(parameters.getIcvLen() * 8, parameters.getNonce()));
            } catch (java.security.GeneralSecurityException problem) {
                throw new CMSException("cannot start AES-GCM", problem);
            }
        }

        @Override
        public AlgorithmIdentifier getAlgorithmIdentifier() {
            return algorithm;
        }

        @Override
        public InputStream getInputStream(InputStream sealed) {
            return new CipherInputStream(sealed, cipher);
        }

        @Override
        public OutputStream getAADStream() {
            return new OutputStream() {
                @Override
                public void write(int octet) {
                    cipher.updateAAD(new byte[] {(byte) octet});
                }
            };
        }

        @Override
        public byte[] getMAC() {
            return new byte[0];
        }
    }

    /** A stream that does not tell how much is behind it. */
    private static final class Unsized extends java.io.FilterInputStream {
        Unsized(InputStream input) {
            super(input);
        }
    }

    private OpenCms() {}
}
