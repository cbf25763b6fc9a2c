// Documents that start a program when they are opened.

// Microsoft security advisory 4053440: a DDE field of Word that runs a command.
rule word_dde_command {
    meta:
        date = "2026-11-24"
        reach = 384
    strings:
        $field = /instrText[^>]{0,64}>\s{0,8}(?i:DDE(AUTO)?\s[^<]{0,256}\b(cmd|powershell|mshta|rundll32|wscript)\b)/
    condition:
        any of them
}

// CVE-2022-30190: a link starts Windows' diagnostic tool with a command.
rule msdt_command {
    meta:
        date = "2026-11-24"
        reach = 160
    strings:
        $link = /(ms-msdt|MS-MSDT):.{0,96}(?i:IT_(Re)?BrowseForFile)\s{0,4}=/s
    condition:
        any of them
}

// A shortcut of Windows ([MS-SHLLINK] section 2.1) to a command interpreter: MITRE ATT&CK T1204.002.
rule shortcut_to_interpreter {
    meta:
        date = "2026-11-24"
        reach = 4096
    strings:
        // The header; then a path or arguments, in UTF-16 or in the Windows code page: powershell,
        // cmd.exe, mshta or wscript, as they are usually written.
        $wide = {
            4C 00 00 00 01 14 02 00 00 00 00 00 C0 00 00 00 00 00 00 46 [0-4000] (
                70 00 6F 00 77 00 65 00 72 00 73 00 68 00 65 00 6C 00 6C 00 |
                50 00 6F 00 77 00 65 00 72 00 53 00 68 00 65 00 6C 00 6C 00 |
                50 00 4F 00 57 00 45 00 52 00 53 00 48 00 45 00 4C 00 4C 00 |
                63 00 6D 00 64 00 2E 00 65 00 78 00 65 00 |
                43 00 4D 00 44 00 2E 00 45 00 58 00 45 00 |
                6D 00 73 00 68 00 74 00 61 00 |
                77 00 73 00 63 00 72 00 69 00 70 00 74 00
            )
        }
        $narrow = {
            4C 00 00 00 01 14 02 00 00 00 00 00 C0 00 00 00 00 00 00 46 [0-4000] (
                70 6F 77 65 72 73 68 65 6C 6C |
                50 6F 77 65 72 53 68 65 6C 6C |
                50 4F 57 45 52 53 48 45 4C 4C |
                63 6D 64 2E 65 78 65 |
                43 4D 44 2E 45 58 45 |
                6D 73 68 74 61 |
                77 73 63 72 69 70 74
            )
        }
    condition:
        any of them
}
