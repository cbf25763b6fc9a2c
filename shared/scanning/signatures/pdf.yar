// Attacks in PDF.

// ISO 32000-1 section 12.6.4.5: a launch action, here of a command interpreter.
rule pdf_launches_interpreter {
    meta:
        date = "2026-11-24"
        reach = 320
        within = "application/pdf"
    strings:
        $launch = /\/Launch\b.{0,128}\/F\s{0,4}\(.{0,64}((?i:cmd|powershell|pwsh|mshta|wscript|cscript|rundll32)|\/bin\/(ba)?sh)\b/s
    condition:
        any of them
}
