// Attacks in SVG. A script in one is no attack by itself: it is noted as active content.

// HTML smuggling, MITRE ATT&CK T1027.006: a script puts a file together and has it saved. A drawing
// has no other use for these; web pages have, so they are left alone.
rule svg_file_smuggling {
    meta:
        date = "2026-11-24"
        reach = 32
        within = "image/svg+xml"
    strings:
        $url = /\bcreateObjectURL\s{0,4}\(/
        $save = /\bmsSave(OrOpen)?Blob\s{0,4}\(/
    condition:
        any of them
}

// CWE-611: an external entity reads a file of the machine that renders the drawing.
rule xml_local_entity {
    meta:
        date = "2026-11-24"
        reach = 128
        within = "image/svg+xml"
    strings:
        $entity = /<!ENTITY\s{1,8}(%\s{1,8})?[\w.-]{1,64}\s{1,8}SYSTEM\s{1,8}["'](?i:file|php|expect|gopher|jar|netdoc):/
    condition:
        any of them
}

// CVE-2016-3715 to 3718: pseudo protocols with which ImageMagick reads, moves and deletes files.
rule imagemagick_pseudo_protocol {
    meta:
        date = "2026-11-24"
        reach = 32
        within = "image/svg+xml"
    strings:
        $reference = /href\s{0,4}=\s{0,4}["'](msl|mvg|ephemeral|label|caption|pango|text|vid):[@\/]/
    condition:
        any of them
}
