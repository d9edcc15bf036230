"""Report: describes a month's model in a few lines of Markdown, with the standard library alone."""


def handler(event, context):
    gain = 1 - event["Rmse"] / event["BaselineRmse"]
    lines = [
        f"# Arrival delays of {event['Month']}",
        "",
        f"{event['Flights']} flights arrived. On {event['Rows']} flights that the model had not seen it was off by",
        f"{event['Rmse']:.1f} minutes (root mean square), against {event['BaselineRmse']:.1f} for always guessing the",
        f"mean: {gain:.0%} less.",
    ]
    return {"Markdown": "\n".join(lines)}
