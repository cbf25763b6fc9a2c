// Programs carried inside media, as in a metadata field or after the picture: MITRE ATT&CK T1027.003.
// A program by itself is no attack; intake says what it is by its type.

rule windows_program_in_media {
    meta:
        date = "2026-11-24"
        reach = 1100
        within = "image/ audio/ video/"
    strings:
        // MZ, the text of the stub for DOS, and PE: Microsoft's "PE Format".
        $program = {
            4D 5A [56-512]
            54 68 69 73 20 70 72 6F 67 72 61 6D 20 63 61 6E 6E 6F 74 20 62 65 20 72 75 6E 20 69 6E
            20 44 4F 53 20 6D 6F 64 65 [1-512] 50 45 00 00
        }
    condition:
        any of them
}

rule linux_program_in_media {
    meta:
        date = "2026-11-24"
        reach = 24
        within = "image/ audio/ video/"
    strings:
        // The header of a 64-bit program or library for x86-64 or Arm: elf(5).
        $program = { 7F 45 4C 46 02 01 01 ?? 00 00 00 00 00 00 00 00 (02 | 03) 00 (3E | B7) 00 01 00 00 00 }
    condition:
        any of them
}

// A PHP archive in something else: opening it as `phar://` makes objects of its metadata.
// S. Thomas, "File Operation Induced Unserialization via the phar:// Stream Wrapper", 2018.
rule phar_in_media {
    meta:
        date = "2026-11-24"
        reach = 640
        within = "image/ audio/ video/"
    strings:
        $stub = /<\?php.{0,512}__HALT_COMPILER\s{0,4}\(\s{0,4}\)\s{0,4};/is
    condition:
        any of them
}
