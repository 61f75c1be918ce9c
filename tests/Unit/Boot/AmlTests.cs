using System;
using Strato.Engine.Boot;
using Xunit;

namespace Strato.Tests.Unit.Boot;

public class AmlTests
{
    [Theory]
    [InlineData(0UL, "00")]
    [InlineData(1UL, "01")]
    [InlineData(2UL, "0A02")]
    [InlineData(255UL, "0AFF")]
    [InlineData(256UL, "0B0001")]
    [InlineData(65535UL, "0BFFFF")]
    [InlineData(65536UL, "0C00000100")]
    [InlineData(0xFFFF_FFFFUL, "0CFFFFFFFF")]
    [InlineData(0x1_0000_0000UL, "0E0000000001000000")]
    public void IntegersTakeTheShortestForm(ulong value, string expected) => Same(expected, aml => aml.Integer(value));

    [Fact]
    public void NamesHaveTheirPrefixes()
    {
        Same("085F5549440A07", aml => aml.Name("_UID", 7));
        Same("085C5F53355F0A07", aml => aml.Name("\\_S5_", 7));
        Same("082E5F53425F46524F4700", aml => aml.Name("_SB_.FROG", 0));
        Same("085C2F035F53425F434F4D315F55494400", aml => aml.Name("\\_SB_.COM1._UID", 0));
        Same("085F4849440D4C4E524F3030303500", aml => aml.Name("_HID", "LNRO0005"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("ABC")]
    [InlineData("\\")]
    [InlineData("ABCD.")]
    [InlineData("ABCDE")]
    public void NamesThatAreNoneAreFaults(string name)
    {
        if (name.Length == 0)
        {
            Assert.ThrowsAny<Exception>(() => new Aml().Name(name));
        }
        else
        {
            Assert.Throws<ArgumentException>(() => new Aml().Name(name));
        }
    }

    [Theory]
    [InlineData(0, "10055F53425F")]
    [InlineData(58, "103F5F53425F")]
    [InlineData(59, "1041045F53425F")]
    [InlineData(4089, "104FFF5F53425F")]
    [InlineData(4090, "108100015F53425F")]
    [InlineData((1 << 20) - 8, "108FFFFF5F53425F")]
    [InlineData((1 << 20) - 7, "10C10000015F53425F")]
    public void PackageLengthsCountThemselves(int contents, string start)
    {
        Aml aml = new();
        int scope = aml.BeginScope("_SB_");
        for (int i = 0; i < contents; i++)
        {
            aml.Integer(1);
        }

        aml.End(scope);
        byte[] bytes = aml.Bytes.ToArray();
        byte[] head = Convert.FromHexString(start);
        Assert.Equal(head, bytes[..head.Length]);
        Assert.Equal(head.Length + contents, bytes.Length);
        Assert.All(bytes[head.Length..], value => Assert.Equal(1, value));
    }

    [Fact]
    public void ADeviceHoldsItsResources() =>
        Same(
            "5B82" + "21" + "434F4D31" // Device (COM1), 33 bytes
            + "085F435253" + "11" + "16" + "0A13" // Name (_CRS, Buffer (19)
            + "4701F803F8030108" // IO (Decode16, 0x3F8, 0x3F8, 1, 8)
            + "89060003" + "01" + "04000000" // Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) { 4 }
            + "7900", // end tag
            aml =>
            {
                int device = aml.BeginDevice("COM1");
                Resources resources = new(new byte[Resources.Room]);
                resources.Io(0x3F8, 8);
                resources.EdgeInterrupt(4);
                aml.Name("_CRS", resources);
                aml.End(device);
            });

    [Fact]
    public void AMemoryRangeIsFixed() =>
        Same(
            "085F435253" + "11" + "11" + "0A0E" + "86090001" + "000010F0" + "00020000" + "7900",
            aml =>
            {
                Resources resources = new(new byte[Resources.Room]);
                resources.Memory32(0xF010_0000, 0x200);
                aml.Name("_CRS", resources);
            });

    [Fact]
    public void AnEventMethodReadsTestsAndNotifies() =>
        Same(
            "5B80" + "45565452" + "01" + "0B0406" + "0A04" // OperationRegion (EVTR, SystemIO, 0x604, 4)
            + "5B81" + "0B" + "45565452" + "03" + "45565453" + "20" // Field (EVTR, DWordAcc, NoLock, Preserve) { EVTS, 32 }
            + "14" + "1F" + "5F455654" + "09" // Method (_EVT, 1, Serialized)
            + "70" + "45565453" + "60" // Store (EVTS, Local0)
            + "A0" + "12" + "7B600100" // If (And (Local0, 1))
            + "86" + "5C2E5F53425F50575242" + "0A80", // Notify (\_SB.PWRB, 0x80)
            aml =>
            {
                aml.IoRegister32("EVTR", 0x604, "EVTS");
                int method = aml.BeginMethod("_EVT", 1, serialized: true);
                aml.StoreToLocal0("EVTS");
                int test = aml.BeginIfLocal0Has(1);
                aml.Notify("\\_SB_.PWRB", 0x80);
                aml.End(test);
                aml.End(method);
            });

    [Fact]
    public void APackageHasItsElements() =>
        Same("12" + "06" + "04" + "0A05" + "00" + "00", aml =>
        {
            int package = aml.BeginPackage(4);
            aml.Integer(5);
            aml.Integer(0);
            aml.Integer(0);
            aml.End(package);
        });

    [Fact]
    public void EisaIdsArePacked()
    {
        Assert.Equal(0x0105_D041u, Aml.EisaId("PNP0501"));
        Assert.Equal(0x0C0C_D041u, Aml.EisaId("PNP0C0C"));
    }

    private static void Same(string expected, Action<Aml> encode)
    {
        Aml aml = new();
        encode(aml);
        Assert.Equal(expected, Convert.ToHexString(aml.Bytes));
    }
}
