using System;
using System.IO;

namespace Strato.Tests.CmdletHost.Demo;

/// <summary>The steps of examples/demo.ps1. Arguments: the folder of the guest image, and the guest's disk, which is written to.</summary>
internal static class Program
{
    private const long Memory = 512L << 20;

    private static int Main(string[] args)
    {
        if (args.Length != 2)
        {
            Console.Error.WriteLine($"usage: Strato.Demo GUEST-FOLDER DISK (2 arguments, {args.Length} were given)");
            return 2;
        }

        string disk = Path.GetFullPath(args[1]);
        TestHost host = new() { Location = Path.GetFullPath(args[0]), OnScreen = Console.WriteLine };
        Transcript transcript = new(host, Console.Out);
        bool ok = true;
        void Run(params Step[] pipeline)
        {
            HostResult result = transcript.Run(pipeline);
            Console.WriteLine();
            ok &= result.Errors.Count == 0 && result.Terminating is null;
        }

        Run(new Step("Get-StratoHost"));
        Run(new Step("New-StratoVm", "demo")
            .With("Kernel", "vmlinuz")
            .With("Initrd", "initrd.img")
            .With("Memory", Memory)
            .With("CommandLine", "console=ttyS0 root=/dev/vda rw"));
        Run(new Step("Add-StratoDrive", disk).With("VMName", "demo"));
        Step start = new Step("Start-StratoVm", "demo").Switch("PassThru");
        // A busy machine's virtual KVM host is slow, and its guests are wanted all the same.
        if (Environment.GetEnvironmentVariable("STRATO_IN_LAB") == "virtual")
        {
            start = start.Switch("AllowEmulation");
        }

        Run(
            start,
            new Step("Wait-StratoVm").With("For", "Console").With("Match", "login:").With("Timeout", 300).Switch("PassThru"));
        Run(new Step("Send-StratoConsole", "root").With("VMName", "demo").With("ExpectMatch", "# ").With("Timeout", 60));
        Run(new Step("Send-StratoConsole", "uname -sr; head -n 1 /proc/meminfo").With("VMName", "demo").With("ExpectMatch", "MemTotal.*").With("Timeout", 60));
        Run(new Step("Suspend-StratoVm", "demo").Switch("PassThru"));
        Run(new Step("Resume-StratoVm", "demo").Switch("PassThru"));
        if (!Console.IsInputRedirected && !Console.IsOutputRedirected)
        {
            Console.WriteLine("Now the guest's shell is yours. Ctrl-] leaves it.");
            Run(new Step("Enter-StratoConsole", "demo"));
        }

        Run(new Step("Stop-StratoVm", "demo").With("TurnOffAfter", 60).Switch("PassThru"));
        Run(new Step("Remove-StratoVm", "demo"));
        return ok ? 0 : 1;
    }
}
