"""Grid: carbon intensity of each zone, from an API, hourly series and annual averages."""
