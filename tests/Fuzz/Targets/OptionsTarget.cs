using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using Strato.Engine.Cli;

namespace Strato.Tests.Fuzz.Targets;

/// <summary>The engine's command line; each line of the input is a word of it.</summary>
internal sealed class OptionsTarget : FuzzTarget
{
    // It would read files of this machine; what is in them is the other target's.
    private const string ReadsFiles = "-config";

    public override IReadOnlyList<byte[]> Seeds { get; } = WordList.Of(
        "-kernel\n/k",
        "-name\nvm\n-machine\ntype=microvm,dump-guest-core=off\n-kernel\n/k\n-initrd\n/i\n-append\nconsole=ttyS0\nquiet\n-smp\ncpus=4\n-m\nsize=512M",
        "-kernel\n/k\n-drive\nid=d0,file=/tmp/a,,b,readonly=on,serial=S\n-device\nvirtio-blk-device,drive=d0,id=x\n-drive\nfile=/e,id=d1",
        "-kernel\n/k\n-serial\nconsole,socket=/s,log=/l\n-qmp\nunix:/q,server,nowait\n-api-channel\nunix:/r,server=on,wait=off\n-D\n/log\n-daemonize\n-pidfile\n/p\n-ready-fd\n3",
        "-kernel\n/k\n-serial\nfile:/a\n-S\n-no-reboot\n-no-shutdown\n-force",
        "-kernel\n/k\n-netdev\ntap,id=n,ifname=tap0,script=no\n-device\nvirtio-net-device,netdev=n,mac=52:54:00:12:34:56\n-netdev\nid=m,netdev=tap1",
        "-kernel\n/k\n-object\nrng-random,id=r,filename=/dev/urandom\n-device\nvirtio-rng-device,rng=r,max-bytes=1,period=2\n-device\nvsock,id=v,guest-cid=3\n-balloon\ndeflate-on-oom=true",
        "-kernel\n/k\n-chardev\nid=c,path=/s\n-chardev\nfile,id=f,path=/f\n-device\nvirtserialport,chardev=f,name=n,nr=2\n-device\nvirtio-serial-device\n-chardev\npty,id=p\n-serial\nchardev:p",
        "-kernel\n/k\n-netdev\nuser,id=n,hostfwd=tcp:127.0.0.1:2222-:22,hostfwd=udp:[::1]:53-:53\n-netdev\nstream,id=m,addr.type=unix,addr.path=/p,server=off",
        "-kernel\n/k\n-netdev\ntap,id=n,ifname=tap0,queues=2,script=/s,downscript=/d,sndbuf=1,vhost=on\n-netdev\ntap,id=m,fds=3:4,vhostfds=5:6",
        "-help",
        "-probe");

    public override IReadOnlyList<byte[]> Words { get; } =
    [
        .. WordList.Of("\n", ",", ",,", "=", "=on", "=off", "no", "M", "G", "unix:", "pty", "stdio", "type=", "id=", "file=", "-", "--", "18446744073709551616", "\0", "é", "\ud83d\ude80"),
        .. OptionTable.HelpText().Split('\n').Where(line => line.StartsWith("  -", StringComparison.Ordinal)).Select(line => line.Trim().Split(' ')[0])
            .Where(option => option != ReadsFiles).Select(option => Encoding.UTF8.GetBytes($"\n{option}\n")),
    ];

    public override string Run(byte[] input)
    {
        string[] words = Encoding.UTF8.GetString(input).Split('\n');
        if (words.Contains(ReadsFiles))
        {
            return "left out";
        }

        _ = Options.FindReadyDescriptor(words);
        Options options = Options.Parse(words);
        Require(options.Help || options.Version || options.Probe || options.Configuration.Kernel is not null, "a machine without a kernel");
        return $"taken: {options.Configuration.Drives.Count} drives, serial {options.Configuration.Serial.Backend}, {options.Warnings.Count} warnings";
    }
}
