//! How often a gram is met in usual traffic: a small model, to choose the rare grams of a pattern.
//!
//! It counts the bytes, the pairs and the grams of a sample of a few kilobytes ([`SAMPLE`]) that shows what the common
//! protocols look like, in lower case: as it stands, as UTF-16 (SMB and the like), and with runs of zeros. A
//! gram's rate is the higher one of its own count and of the chain of its pairs. Only speed depends on it.

use rustc_hash::FxHashMap;

/// Weight of the uniform distribution among the bytes.
const UNIFORM: f32 = 0.4;
/// Pairs of each first byte that are taken from the distribution of the bytes alone.
const UNSEEN: f32 = 16.0;
/// Zeros behind the sample, beside as many bytes.
const ZEROS: usize = 1024;

/// What the common protocols look like. Written for this purpose.
const SAMPLE: &str = concat!(
    "get / http/1.1\r\nhost: www.example.com\r\nuser-agent: mozilla/5.0 (windows nt 10.0; win64; x64) ",
    "applewebkit/537.36 (khtml, like gecko) chrome/120.0.0.0 safari/537.36\r\naccept: text/html,application/",
    "xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8\r\naccept-language: en-us,en;q=0.5\r\n",
    "accept-encoding: gzip, deflate, br\r\nconnection: keep-alive\r\ncookie: phpsessionid=; path=/\r\n",
    "referer: https://www.example.com/index.php?id=1\r\nupgrade-insecure-requests: 1\r\ncache-control: ",
    "no-cache\r\npragma: no-cache\r\n\r\nhttp/1.1 200 ok\r\ndate: mon, 01 jan 2024 00:00:00 gmt\r\nserver: ",
    "apache/2.4.41 (ubuntu)\r\nlast-modified: tue, 02 feb 2023 11:22:33 gmt\r\netag: \"5f-3e\"\r\n",
    "accept-ranges: bytes\r\ncontent-length: 1024\r\ncontent-type: text/html; charset=utf-8\r\nvary: ",
    "accept-encoding\r\nx-powered-by: php/7.4\r\nset-cookie: session=; expires=wed, 03 mar 2025 ; path=/; ",
    "domain=.example.com; httponly\r\nlocation: http://\r\ntransfer-encoding: chunked\r\nkeep-alive: ",
    "timeout=5, max=100\r\n\r\n<!doctype html public \"-//w3c//dtd xhtml 1.0 transitional//en\" ",
    "\"http://www.w3.org/tr/xhtml1/dtd/xhtml1-transitional.dtd\">\r\n<html xmlns=\"http://www.w3.org/1999/",
    "xhtml\">\r\n<head>\r\n<title>index of page</title>\r\n<meta http-equiv=\"content-type\" content=\"text/html; ",
    "charset=iso-8859-1\" />\r\n<meta name=\"description\" content=\"\">\r\n<link rel=\"stylesheet\" ",
    "type=\"text/css\" href=\"/css/style.css\">\r\n<script type=\"text/javascript\" src=\"/js/jquery.min.js\">",
    "</script>\r\n<script language=\"javascript\">\r\nvar a = new array(); function(){ return this.document.",
    "getelementbyid('') } if (window.location.href) { document.write(unescape(\"%3c\")); }\r\n</script>\r\n",
    "</head>\r\n<body onload=\"\">\r\n<div class=\"content\" id=\"main\"><table width=\"100%\" border=\"0\" ",
    "cellspacing=\"0\" cellpadding=\"0\"><tr><td align=\"center\" valign=\"top\"><font size=\"2\" color=\"#ffffff\">",
    "<a href=\"index.html\" target=\"_blank\"><img src=\"images/logo.gif\" alt=\"\" width=\"10\" height=\"10\"></a>",
    "</font></td></tr></table><p>the name of the and that is for you to this with all from are not be</p>",
    "<form action=\"login.php\" method=\"post\"><input type=\"hidden\" name=\"value\" value=\"\"><input ",
    "type=\"submit\"></form><span style=\"display:none\">&nbsp;</span><iframe src=\"\"></iframe><object ",
    "classid=\"clsid:\"></object></div><br><ul><li></li></ul>\r\n</body>\r\n</html>\r\npost /index.php?option=com_",
    "content&view=article&id=1&page=2 http/1.0\r\ncontent-type: application/x-www-form-urlencoded\r\n",
    "content-length: 10\r\n\r\nusername=admin&password=admin&submit=login&action=&cmd=&file=../../../etc/passwd\r\n",
    "content-disposition: form-data; name=\"file\"; filename=\"a.php\"\r\ncontent-type: application/octet-stream\r\n",
    "get /cgi-bin/ /wp-content/plugins/ /admin/ /scripts/ /images/ .html .php .asp .aspx .jsp .cgi .exe .dll .jpg ",
    ".png .gif .css .js .xml .json .txt .zip head options put delete propfind connect soapaction: m-search * ",
    "http/1.1\r\nhost: 239.255.255.250:1900\r\nman: \"ssdp:discover\"\r\nmx: 3\r\nst: upnp:rootdevice\r\nnotify\r\n",
    "<?xml version=\"1.0\" encoding=\"utf-8\"?><soap:envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/",
    "envelope/\"><soap:body></soap:body></soap:envelope>{\"id\":1,\"name\":\"value\",\"type\":null,\"data\":[true,",
    "false],\"error\":{\"code\":0,\"message\":\"\"},\"method\":\"\",\"params\":[]}\r\nselect * from users where id=1 ",
    "union select 1,2,3 and 1=1-- insert into values update set order by null concat(\r\n220 mail.example.com esmtp ",
    "postfix ready\r\nehlo example.com\r\n250-size\r\n250 ok\r\nauth login\r\nmail from:<user@example.com>\r\nrcpt ",
    "to:<user@example.com>\r\ndata\r\n354 end data with .\r\nreceived: from by with smtp id for ; mon, 1 jan 2024 ",
    "+0000\r\nmessage-id: <>\r\nsubject: re: \r\nfrom: \"\" <>\r\nto: \r\nmime-version: 1.0\r\ncontent-type: multipart/",
    "mixed; boundary=\"----=_nextpart_000\"\r\ncontent-transfer-encoding: base64\r\n\r\n.\r\nquit\r\n221 bye\r\n220 ftp ",
    "server ready\r\nuser anonymous\r\n331 password required\r\npass guest@\r\n230 user logged in\r\nsyst\r\ntype i\r\n",
    "pasv\r\n227 entering passive mode (10,0,0,1,)\r\nport \r\nlist\r\nretr \r\nstor \r\ncwd \r\n150 opening binary ",
    "mode data connection\r\n226 transfer complete.\r\n+ok pop3 ready\r\n* ok imap4rev1\r\na001 login \r\nssh-2.0-",
    "openssh_8.2p1 diffie-hellman-group14-sha1,ssh-rsa,aes128-ctr,hmac-sha1,none\r\nnick user join #channel\r\n",
    "privmsg :ping pong\r\nregister sip:user@example.com sip/2.0\r\nvia: sip/2.0/udp 10.0.0.1:5060;branch=z9hg4bk\r\n",
    "max-forwards: 70\r\nfrom: <sip:>;tag=\r\ncall-id: @\r\ncseq: 1 invite\r\ncontact: \r\nv=0\r\no=- 0 0 in ip4 ",
    "\r\ns=-\r\nm=audio rtp/avp 0 8 101\r\na=rtpmap:0 pcmu/8000\r\n{pid} bittorrent protocol abcdefghijklmnopqrstuvwxyz ",
    "abcdefghijklmnopqrstuvwabcdefghi aaaaaaaaaaaaaaaa 0123456789abcdef 1234567890 c:\\windows\\system32\\cmd.exe /c ",
    "this program cannot be run in dos mode.\r\r\n$ error: not found, access denied, failed, invalid, unknown command ",
    "the quick way to find out what people want from their internet service is to look at some other pages, which ",
    "have been there before and would be able to make it work again when there is more information about them\r\n",
    "mz\u{0}\u{3}\u{0}\u{0}\u{0}\u{4}\u{0}\u{0}\u{0}pe\u{0}\u{0}pk\u{3}\u{4}\u{0}\u{0}\u{1}\u{0}\u{1}\u{0}\u{0}\u{1}\u{0}\u{0}",
    "\u{1}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{3}www\u{7}example\u{3}com\u{0}\u{0}\u{1}\u{0}\u{1}\u{3}net\u{0}\u{0}\u{1c}\u{0}\u{1}",
    "\u{1}\u{0}\u{0}\u{1}\u{0}\u{0}\u{0}\u{2}\u{0}\u{0}\u{0}\u{10}\u{0}\u{0}\u{0}\u{8}\u{0}\u{0}\u{0}\u{4}\u{0}\u{0}\u{0}\u{20}",
    "\u{0}\u{0}\u{0}\u{40}\u{0}\u{5}\u{0}\u{0}\u{3}\u{10}\u{0}\u{0}\u{0}\u{0}\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}\u{7}\u{16}\u{3}\u{1}\u{2}",
    "\u{0}\u{1}\u{0}\u{1}\u{3}\u{3}\u{17}\u{3}\u{3}\u{0}\u{14}\u{3}\u{3}\u{0}\u{1}\u{1}\u{16}\u{3}\u{3}\u{0}\u{b}\u{0}\u{4}\u{0}\u{a}",
    "\u{0}\u{d}\u{0}\u{17}\u{0}\u{0}\u{0}\u{23}\u{0}\u{0}\u{30}\u{d}\u{6}\u{9}\u{2a}\u{6}\u{3}\u{55}\u{4}\u{3}\u{c}\u{30}\u{1}\u{2}\u{2}\u{1}",
    "smb\u{0}\u{0}\u{0}\u{0}\u{18}\u{1}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}ntlmssp\u{0}\u{1}\u{0}\u{0}\u{0}\\pipe\\srvsvc\\ipc$\u{0}",
    "\u{4}\u{1}\u{30}\u{2}\u{1}\u{0}\u{4}\u{6}public\u{a0}\u{2}\u{1}\u{0}\u{2}\u{1}\u{0}\u{2}\u{1}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}",
);

/// Bytes that come in runs in binary formats, and how many of each are behind the sample.
const RUNS: [(u8, usize); 3] = [(0xff, 64), (0x90, 32), (0x20, 64)];

/// Rates of bytes, pairs and grams.
pub struct Background {
    bytes: [f32; 256],
    /// Rate of the second byte behind the first one, at `first << 8 | second`.
    pairs: Vec<f32>,
    /// Grams of the sample.
    grams: FxHashMap<[u8; 4], f32>,
}

impl Background {
    /// Counts the sample.
    pub fn new() -> Self {
        // Code points above 0x7f stand for two bytes here; there is one.
        let mut sample = SAMPLE.as_bytes().to_vec();
        let wide: Vec<u8> = sample.iter().flat_map(|byte| [*byte, 0]).take(ZEROS).collect();
        sample.extend(wide);
        sample.extend([0; ZEROS]);
        for (byte, count) in RUNS {
            sample.extend(std::iter::repeat_n(byte, count));
        }
        let total = sample.len() as f32;
        let mut bytes = [UNIFORM / 256.0; 256];
        sample.iter().for_each(|byte| bytes[usize::from(*byte)] += (1.0 - UNIFORM) / total);
        let mut counts = vec![0f32; 1 << 16];
        let mut of_first = [0f32; 256];
        for pair in sample.windows(2) {
            counts[usize::from(pair[0]) << 8 | usize::from(pair[1])] += 1.0;
            of_first[usize::from(pair[0])] += 1.0;
        }
        let pairs = counts
            .iter()
            .enumerate()
            .map(|(pair, count)| (count + UNSEEN * bytes[pair & 0xff]) / (of_first[pair >> 8] + UNSEEN));
        let pairs = pairs.collect();
        let mut grams = FxHashMap::default();
        for gram in sample.windows(4) {
            if let Some(gram) = gram.first_chunk() {
                *grams.entry(*gram).or_insert(0.0) += 1.0 / total;
            }
        }
        Self { bytes, pairs, grams }
    }

    /// Rate of a byte behind another one, both in lower case.
    pub fn pair(&self, first: u8, second: u8) -> f32 {
        self.pairs[usize::from(first) << 8 | usize::from(second)]
    }

    /// Rate of a gram in lower case.
    pub fn rate(&self, gram: &[u8]) -> f32 {
        let first = gram.first().map_or(1.0, |byte| self.bytes[usize::from(*byte)]);
        let chain = gram
            .windows(2)
            .fold(first, |rate, pair| rate * self.pairs[usize::from(pair[0]) << 8 | usize::from(pair[1])]);
        let counted = gram.first_chunk().and_then(|gram| self.grams.get(gram));
        counted.map_or(chain, |counted| chain.max(*counted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_common_has_the_higher_rate() {
        let background = Background::new();
        let common: [&[u8]; 5] = [b"http", b"\0\0\0\0", b".com", b"\r\nac", b"u\0s\0"];
        let rare: [&[u8]; 5] = [b"qzjx", b"\xde\xad\xbe\xef", b"xkcd", b"!@#$", b"\x01\xfe\x7f\x80"];
        for common in common {
            for rare in rare {
                assert!(background.rate(common) > 20.0 * background.rate(rare), "{common:?} {rare:?}");
            }
        }
    }
}
