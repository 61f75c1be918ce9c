using System;
using FsCheck;
using FsCheck.Fluent;
using Strato.Engine.Virtio;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Virtio;

/// <summary>Registers against plain models, and under fire.</summary>
public class RegisterProperties
{
    private static readonly uint[] Ladder = [0, 1, 3, 11, 15];

    /// <summary>One access to the registers: of <see cref="Length"/> bytes at <see cref="Offset"/>.</summary>
    public sealed record Access(bool Write, int Offset, int Length, ulong Value);

    private static Gen<uint> Statuses => Gen.Frequency(
        (12, Gen.Elements(Ladder)),
        (2, Gen.Elements(0x41u, 0x4fu, 0x81u, 0x83u, 0x8fu, 0xcfu)),
        (1, from value in Gen.Choose(0, 0x1ff) select (uint)value));

    /// <summary>The model: a rung of the ladder, and a flag for FAILED. Up only; down by a reset.</summary>
    [Fact]
    public void StatusClimbsTheLadder() =>
        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(1000),
            Prop.ForAll(Statuses.ListOf().ToArbitrary(), Gen.Elements(true, false).ToArbitrary(), (statuses, featuresFit) =>
            {
                using MmioDriver driver = new(new EchoDevice(1));
                ulong features = featuresFit ? VirtioFeature.Version1 : VirtioFeature.Version1 | (1UL << 50);
                int rung = 0;
                bool failed = false;
                driver.WriteFeatures(features);
                foreach (uint written in statuses)
                {
                    driver.Write(MmioRegister.Status, written);
                    if (written == 0)
                    {
                        (rung, failed) = (0, false);
                        driver.WriteFeatures(features);
                    }
                    else if (!failed || (written & 0x80) != 0)
                    {
                        int wanted = Array.IndexOf(Ladder, written & ~0xc0u);
                        bool legal = wanted >= rung && !(failed && wanted > rung);
                        rung = !legal ? rung : featuresFit || rung >= 3 ? wanted : Math.Min(wanted, 2);
                        failed |= legal && (written & 0x80) != 0;
                    }

                    Assert.Equal(Ladder[rung] | (failed ? 0x80u : 0), (uint)driver.Status);
                }
            }));

    private static Gen<Access> Accesses =>
        from write in Gen.Frequency((4, Gen.Constant(true)), (1, Gen.Constant(false)))
        from length in Gen.Frequency((8, Gen.Constant(4)), (1, Gen.Elements(1, 2, 8)))
        from offset in Gen.Frequency(
            (8, from register in Gen.Choose(0, 0x41) select register * 4),
            (1, Gen.Choose(0, (int)MmioTransport.Length - 8)))
        from value in Gen.Frequency(
            (4, from small in Gen.Choose(0, 20) select (ulong)small),
            (2, Gen.Elements(0x1000ul, 0x2000ul, 0x10_0000ul, 256ul, 64ul)),
            (1, Gen.Elements(ulong.MaxValue, 0xffff_fffful, 0x8000_0000ul)))
        select new Access(write, offset, length, value);

    /// <summary>Whatever is written to the registers in whatever order: no exception, and after a reset the device works.</summary>
    [Fact]
    public void AnyAccessesLeaveADeviceThatWorksAfterAReset()
    {
        foreach (string name in DeviceCatalogue.Names)
        {
            using TemporaryFile file = new(64 << 10);
            using MmioDriver driver = DeviceCatalogue.Open(name, file);
            Check.One(
                Config.QuickThrowOnFailure.WithMaxTest(300).WithEndSize(200),
                Prop.ForAll(Accesses.ListOf().ToArbitrary(), accesses =>
                {
                    // Half of them on a device that runs.
                    if (accesses.Count % 2 == 0)
                    {
                        driver.Start();
                    }

                    byte[] data = new byte[8];
                    foreach (Access access in accesses)
                    {
                        BitConverter.TryWriteBytes(data, access.Value);
                        if (access.Write)
                        {
                            driver.Transport.Write((ulong)access.Offset, data.AsSpan(0, access.Length));
                        }
                        else
                        {
                            driver.Transport.Read((ulong)access.Offset, data.AsSpan(0, access.Length));
                        }
                    }

                    driver.Run();
                    DeviceCatalogue.CheckWorks(name, driver);
                }));
        }
    }
}
