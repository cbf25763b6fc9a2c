// Attacks that hide in pictures and documents and aim at what processes or serves them.

// A one-line web shell, usually in a comment or a metadata field of a real picture.
rule php_web_shell {
    meta:
        date = "2026-11-23"
        reach = 512
    strings:
        $shell = /<\?(php|=).{0,256}(eval|assert|system|passthru|shell_exec|popen|exec)\s{0,8}\(.{0,128}\$_(GET|POST|REQUEST|COOKIE)\b/s
    condition:
        any of them
}

// CVE-2016-3714: ImageMagick hands part of a URL in SVG or MVG to a shell.
rule imagemagick_command_injection {
    meta:
        date = "2026-11-23"
        reach = 320
    strings:
        $url = /url\(https?:\/\/[^\s)]{0,256}["'`]\s{0,8}\|\s{0,8}["'`\w\/]/
    condition:
        any of them
}

// CVE-2018-16509, CVE-2023-36664: PostScript makes Ghostscript run a command.
rule ghostscript_pipe {
    meta:
        date = "2026-11-23"
        reach = 320
    strings:
        $pipe = /\(%pipe%[^)\r\n]{1,256}\)\s{0,8}(\(|file|run|\/OutputFile)/
        $device = /\/OutputFile\s{0,8}\(%pipe%[^)\r\n]{1,256}\)/
    condition:
        any of them
}

// CVE-2021-22204: ExifTool evaluates a DjVu annotation as Perl.
rule exiftool_djvu_injection {
    meta:
        date = "2026-11-23"
        reach = 320
    strings:
        $annotation = /\(metadata[^\x00]{0,192}\(\w{1,32}\s{1,8}"\\\n"\s{0,8}\.\s{0,8}(qx|system|exec|`)/
    condition:
        any of them
}
